// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { others, stack } from "../../assets/stack.js";

const column = (parts, total) => ({ parts: new Map(Object.entries(parts)), total });

test("the largest series are stacked in one order", () => {
  const s = stack([column({ a: 1, b: 4 }), column({ b: 1, a: 2 }), column({})], 4);
  assert.deepEqual(s.keys, ["b", "a"]);
  assert.deepEqual(s.columns[0], { segments: [{ key: "b", from: 0, to: 4 }, { key: "a", from: 4, to: 5 }], total: 5 });
  assert.deepEqual(s.columns[1], { segments: [{ key: "b", from: 0, to: 1 }, { key: "a", from: 1, to: 3 }], total: 3 });
  assert.deepEqual(s.columns[2], { segments: [], total: 0 });
  assert.equal(s.max, 5);
});

test("what has no series of its own is others", () => {
  const s = stack([column({ a: 5, b: 4, c: 3, d: 2 }), column({ c: 9 })], 2);
  assert.deepEqual(s.keys, ["c", "a", others]);
  assert.deepEqual(s.columns[0].segments, [
    { key: "c", from: 0, to: 3 }, { key: "a", from: 3, to: 8 }, { key: others, from: 8, to: 14 },
  ]);
  assert.deepEqual(s.columns[1].segments, [{ key: "c", from: 0, to: 9 }]);
});

test("a total that is more than its parts has others", () => {
  const s = stack([column({ a: 5 }, 8), column({ a: 5 }, 1)], 2);
  assert.deepEqual(s.columns[0].segments.at(-1), { key: others, from: 5, to: 8 });
  assert.deepEqual(s.columns[1], { segments: [{ key: "a", from: 0, to: 5 }], total: 5 }, "a total below its parts is wrong");
});

test("a total that differs by rounding has no others", () => {
  const s = stack([column({ a: 0.1, b: 0.2 }, 0.1 + 0.2 + 1e-12)], 4);
  assert.deepEqual(s.keys, ["b", "a"]);
});

test("nothing makes no series", () => {
  assert.deepEqual(stack([], 4), { keys: [], places: new Map(), columns: [], max: 0 });
  assert.deepEqual(stack([column({ a: 0, b: -1, c: NaN })], 4).keys, []);
});

test("series keep their places", () => {
  const first = stack([column({ a: 3, b: 2, c: 1 })], 3);
  assert.deepEqual([...first.places], [["a", 0], ["b", 1], ["c", 2]]);
  const next = stack([column({ d: 9, c: 3, a: 2 })], 3, first.places);
  assert.deepEqual(next.keys, ["d", "c", "a"]);
  assert.deepEqual(Object.fromEntries(next.places), { c: 2, a: 0, d: 1 }, "d gets the place of b");
});

test("equal series have one order", () => {
  assert.deepEqual(stack([column({ b: 1, a: 1, c: 1 })], 3).keys, ["a", "b", "c"]);
});
