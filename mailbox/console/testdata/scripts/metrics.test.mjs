// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../../assets/metrics.js";

const kind = "waybill.process.kind";
const point = (value, ...attributes) => ({ attributes, value });
const said = {
  attached: true,
  time: "2026-03-04T12:00:00.5Z",
  left_out: 3,
  metrics: [
    { name: "waybill.refused", kind: "sum", points: [
      point(3, [kind, "guild"], ["reason", "full"]),
      point(4, [kind, "guild"], ["reason", "stopped"]),
      point(5, [kind, "session"], ["reason", "full"]),
      point(6, ["reason", "full"]),
    ] },
    { name: "waybill.refused", kind: "sum", points: [point(10, [kind, "guild"])] },
    { name: "waybill.oldest", kind: "gauge", points: [point(1.5, [kind, "guild"]), point(0.5, [kind, "guild"]), point("NaN", [kind, "__proto__"])] },
    { name: "waybill.wait", kind: "histogram", points: [
      { attributes: [[kind, "guild"], ["type", "a"]], bounds: [1], counts: [1, 2], count: 3, sum: 9 },
      { attributes: [[kind, "guild"], ["type", "b"]], bounds: [1], counts: [3, 4], count: 7, sum: 1 },
    ] },
  ],
};

test("values are summed by an attribute", () => {
  const metrics = new Metrics(said);
  assert.deepEqual([...metrics.values("waybill.refused", kind)], [["guild", 17], ["session", 5]]);
  assert.deepEqual([...metrics.values("waybill.refused", "reason")], [["full", 14], ["stopped", 4]]);
  assert.deepEqual([...metrics.values("waybill.oldest", kind, Math.max)], [["guild", 1.5], ["__proto__", NaN]]);
  assert.equal(metrics.time, Date.UTC(2026, 2, 4, 12, 0, 0, 500));
  assert.equal(metrics.leftOut, 3);
});

test("histograms are added by an attribute", () => {
  const found = new Metrics(said).histograms("waybill.wait", kind);
  assert.deepEqual(found.get("guild").counts, [4, 6]);
  assert.equal(found.get("guild").sum, 10);
});

test("what is missing has no values", () => {
  for (const empty of [undefined, null, {}, { attached: false, metrics: null }, { metrics: [{ name: "waybill.refused" }] }]) {
    const metrics = new Metrics(empty);
    assert.equal(metrics.attached, false);
    assert.equal(metrics.has("waybill.oldest"), false);
    assert.equal(metrics.values("waybill.refused", kind).size, 0);
    assert.equal(metrics.histograms("waybill.wait", kind).size, 0);
  }
  assert.equal(new Metrics(said).values("waybill.wait", kind).size, 0, "a histogram is no value");
  assert.equal(new Metrics(said).histograms("waybill.refused", kind).size, 0);
});
