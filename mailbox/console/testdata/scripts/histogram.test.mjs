// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, histogram, quantile, rebucket, since } from "../../assets/histogram.js";

const of = (bounds, counts, more = {}) => ({
  ...histogram({ bounds, counts, count: counts.reduce((sum, n) => sum + n, 0), sum: 0 }), ...more,
});

test("a point is read, whatever is missing", () => {
  assert.deepEqual(histogram({ bounds: [1, "Infinity"], counts: [1, 2, 3], count: 6, sum: "NaN", min: 0.5 }), {
    bounds: [1, Infinity], counts: [1, 2, 3], count: 6, sum: NaN, min: 0.5, max: undefined, exemplars: [],
  });
  assert.equal(quantile(histogram({}), 0.5), undefined);
});

test("quantiles are interpolated in their bucket", () => {
  const h = of([10, 20, 30], [10, 10, 0, 0]);
  assert.deepEqual(quantile(h, 0.5), { value: 10, low: 0, high: 10, open: false });
  assert.deepEqual(quantile(h, 0.25), { value: 5, low: 0, high: 10, open: false });
  assert.deepEqual(quantile(h, 0.75), { value: 15, low: 10, high: 20, open: false });
  assert.deepEqual(quantile(h, 1), { value: 20, low: 10, high: 20, open: false });
  assert.deepEqual(quantile(h, 0), { value: 0, low: 0, high: 10, open: false });
});

test("the least and the most value narrow a bucket", () => {
  const h = of([10, 20], [0, 4, 0], { min: 12, max: 16 });
  assert.deepEqual(quantile(h, 0.5), { value: 14, low: 12, high: 16, open: false });
  const wrong = of([10, 20], [0, 4, 0], { min: 25, max: 5 });
  assert.deepEqual(quantile(wrong, 0.5), { value: 15, low: 10, high: 20, open: false }, "they contradict the bucket");
});

test("the last bucket has no end", () => {
  assert.deepEqual(quantile(of([10], [0, 4]), 0.5), { value: 10, low: 10, high: 10, open: true });
  assert.deepEqual(quantile(of([10], [0, 4], { max: 30 }), 0.5), { value: 20, low: 10, high: 30, open: false });
  assert.deepEqual(quantile(of([], [4], { min: 2, max: 6 }), 0.5), { value: 4, low: 2, high: 6, open: false });
});

test("nothing has no quantile", () => {
  assert.equal(quantile(of([10], [0, 0]), 0.99), undefined);
  assert.equal(quantile(of([10], [NaN, 0]), 0.99), undefined);
});

test("negative values", () => {
  const h = of([-20, -10, 0, 10], [0, 10, 0, 10, 0]);
  assert.equal(quantile(h, 0.25).value, -15);
  assert.equal(quantile(h, 0.75).value, 5);
});

test("buckets of the same bounds add up", () => {
  const sum = add(of([1, 2], [1, 2, 3], { min: 0.5, max: 9 }), of([1, 2], [10, 20, 30], { min: 0.1, max: 3 }));
  assert.deepEqual(sum.counts, [11, 22, 33]);
  assert.deepEqual([sum.count, sum.min, sum.max], [66, 0.1, 9]);
});

test("buckets of different bounds add up, and none is lost", () => {
  const sum = add(of([10], [4, 0]), of([5, 20], [1, 3, 0]));
  assert.deepEqual(sum.bounds, [5, 10, 20]);
  assert.deepEqual(sum.counts.map((n) => Math.round(n * 1e9) / 1e9), [3, 3, 2, 0]);
});

test("what has no values changes nothing", () => {
  const h = of([1, 2], [1, 2, 3], { min: 0.5, max: 9 });
  assert.deepEqual(add(of([1, 2], [0, 0, 0]), h), { ...h });
  assert.deepEqual(add(h, of([1, 2], [0, 0, 0])), { ...h });
});

test("no value is lost in other buckets", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 500; round++) {
    const bounds = () => [...new Set(Array.from({ length: Math.floor(random() * 8) }, () => Math.round(random() * 40) - 10))].sort((a, b) => a - b);
    const own = bounds();
    const counts = Array.from({ length: own.length + 1 }, () => Math.floor(random() * 5));
    const h = of(own, counts, random() < 0.5 ? {} : { min: -15, max: 45 });
    const there = rebucket(h, bounds());
    const total = there.reduce((sum, n) => sum + n, 0);
    assert.ok(Math.abs(total - h.count) < 1e-9, `round ${round}: ${JSON.stringify(h)} became ${there}`);
    assert.ok(there.every((n) => n >= 0), `round ${round}: ${there}`);
  }
});

test("what came since then", () => {
  const before = of([1, 2], [1, 1, 1], { min: 0, max: 9, sum: 10 });
  const now = of([1, 2], [1, 5, 2], { min: 0, max: 9, sum: 18 });
  const came = since(now, before);
  assert.deepEqual(came.counts, [0, 4, 1]);
  assert.deepEqual([came.count, came.sum, came.min, came.max], [5, 8, undefined, undefined]);
  assert.deepEqual(since(now, undefined), now);
  assert.deepEqual(since(before, now), before, "the program began anew");
});

test("what came since then, in wider buckets", () => {
  const before = of([1, 2, 4], [0, 3, 2, 0]);
  const now = of([1, 4], [0, 9, 1]);
  assert.deepEqual(since(now, before).counts, [0, 4, 1]);
});
