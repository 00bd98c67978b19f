// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { domain, methodOf, planned, probability, shareText } from "../../assets/curve.js";

const curve = [{ size: 10_000, probability: 0.001 }, { size: 1, probability: 1 }, { size: 100, probability: 0.1 }];

test("a curve is straight where both axes are logarithmic, and flat outside", () => {
  const near = (size, want) => assert.ok(Math.abs(probability(curve, size) - want) < 1e-12, `${size}: ${probability(curve, size)}`);
  near(1, 1);
  near(10, 10 ** -0.5);
  near(100, 0.1);
  near(1000, 0.01);
  near(10_000, 0.001);
  near(1e8, 0.001);
  assert.equal(probability([{ size: 50, probability: 0.5 }], 3), 0.5);
  assert.equal(probability([], 3), undefined);
});

test("a limit holds for one fan-out", () => {
  assert.equal(planned({ curve, max_spans: 2 }, 1000), 0.002);
  assert.equal(planned({ curve, max_spans: -1 }, 1), 1, "below zero is no limit");
  assert.equal(planned({ curve, max_spans: 50 }, 1), 1);
});

test("a plot shows whole decades, and all that is on it", () => {
  assert.deepEqual(domain([], []), { sizes: [1, 10], shares: [0.1, 1] });
  assert.deepEqual(domain([{ curve }], []), { sizes: [1, 10, 100, 1000, 10_000], shares: [0.001, 0.01, 0.1, 1] });
  const far = domain([{ curve }], [{ size: 50_000, sampled: 1 }, { size: 5, sampled: 0 }]);
  assert.equal(far.sizes.at(-1), 100_000);
  assert.equal(far.shares[0], 1e-5);
});

test("a plot survives whatever it is told", () => {
  const odd = domain([{ curve: [{ size: 1, probability: 1e-300 }] }], [{ size: 1e300, sampled: 1 }, { size: 0, sampled: 7 }, { size: NaN, sampled: NaN }]);
  assert.ok(odd.sizes.length <= 10 && odd.shares.length <= 10, JSON.stringify(odd));
  assert.ok([...odd.sizes, ...odd.shares].every(Number.isFinite));
});

test("how the sampled recipients were chosen", () => {
  assert.equal(methodOf({ shed: true, sampled: 0, method: "uniform" }), "shed");
  assert.equal(methodOf({ sampled: 0, method: "uniform" }), "none");
  assert.equal(methodOf({ sampled: 3, method: "uniform" }), "uniform");
  assert.equal(methodOf({ sampled: 3, method: "__proto__" }), "other");
  assert.equal(methodOf({ sampled: 3, method: "constructor" }), "other");
});

test("shares have all their digits", () => {
  assert.deepEqual([1, 0.1, 0.001, 0.00001, 0.123456].map(shareText), ["100\u00a0%", "10\u00a0%", "0.1\u00a0%", "0.001\u00a0%", "12.3\u00a0%"]);
});
