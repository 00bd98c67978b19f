// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { decades, linear, logarithmic, niceTicks, thin } from "../../assets/scales.js";

test("a linear scale", () => {
  const y = linear([0, 4], [100, 0]);
  assert.deepEqual([0, 1, 4, 8].map(y), [100, 75, 0, -100]);
  assert.equal(linear([3, 3], [10, 20])(3), 10, "an empty domain is a point");
});

test("a logarithmic scale", () => {
  const x = logarithmic([1, 10_000], [0, 400]);
  assert.deepEqual([1, 10, 100, 1000, 10_000].map((v) => Math.round(x(v) * 1e9) / 1e9), [0, 100, 200, 300, 400]);
  assert.equal(x(0), 0, "there is no logarithm of 0");
  assert.equal(x(-1), 0);
});

test("ticks of an axis", () => {
  assert.deepEqual(niceTicks(1), [0, 0.5, 1]);
  assert.deepEqual(niceTicks(0.93), [0, 0.5, 1]);
  assert.deepEqual(niceTicks(7.5), [0, 2, 4, 6, 8]);
  assert.deepEqual(niceTicks(0.00042), [0, 0.0002, 0.0004, 0.0006]);
  assert.deepEqual(niceTicks(1e6), [0, 500_000, 1_000_000]);
  for (const nothing of [0, -1, NaN, Infinity, undefined]) assert.deepEqual(niceTicks(nothing), [0, 1]);
});

test("ticks cover any maximum, and are few", () => {
  for (let exponent = -12; exponent <= 15; exponent++) {
    for (const digits of [1, 1.0001, 1.5, 2, 2.3, 3.7, 4.9999, 5, 7, 9.99]) {
      const max = digits * 10 ** exponent;
      const ticks = niceTicks(max);
      assert.ok(ticks.at(-1) >= max * (1 - 1e-8), `${max}: ${ticks}`);
      assert.ok(ticks.length >= 3 && ticks.length <= 6, `${max}: ${ticks}`);
    }
  }
});

test("decades", () => {
  assert.deepEqual(decades(1, 10_000), [1, 10, 100, 1000, 10_000]);
  assert.deepEqual(decades(2, 20), [1, 10, 100]);
  assert.deepEqual(decades(0.001, 1), [0.001, 0.01, 0.1, 1]);
  assert.deepEqual(decades(5, 5), [1, 10]);
  assert.deepEqual(decades(1, 1), [1, 10], "an axis has two ends");
});

test("fewer ticks", () => {
  assert.deepEqual(thin([1, 2, 3, 4, 5], 5), [1, 2, 3, 4, 5]);
  assert.deepEqual(thin([1, 2, 3, 4, 5], 3), [1, 3, 5]);
  assert.deepEqual(thin([1, 2, 3, 4, 5], 2), [1, 4]);
  assert.deepEqual(thin([], 2), []);
});
