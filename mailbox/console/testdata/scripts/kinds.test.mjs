// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { History, snapshot } from "../../assets/kinds.js";
import { Metrics } from "../../assets/metrics.js";

const kind = "waybill.process.kind";
const reason = "waybill.mailbox.reason";

const at = (second, points) => snapshot(new Metrics({
  attached: true,
  time: new Date(second * 1000).toISOString(),
  metrics: Object.entries(points).map(([name, list]) => ({ name: "waybill.mailbox." + name, points: list })),
}));
const value = (n, ...attributes) => ({ attributes, value: n });
const guild = (n, ...more) => value(n, [kind, "guild"], ...more);
const waits = (...counts) => ({ attributes: [[kind, "guild"]], bounds: [1, 2], counts, count: counts.reduce((a, b) => a + b), sum: 0 });

test("one snapshot has no rates", () => {
  const history = new History();
  assert.deepEqual(history.rows(), []);
  history.add(at(0, { accepted: [guild(5)], queued: [guild(2), guild(3)] }));
  assert.deepEqual(history.rows(), [{ kind: "guild", accepted: 5, queued: 5, rates: {}, recent: {} }]);
  assert.equal(history.seconds, 0);
});

test("rates are of the time between snapshots", () => {
  const history = new History();
  history.add(at(0, { accepted: [guild(5)], restarts: [guild(1)] }));
  history.add(at(2, { accepted: [guild(15)], restarts: [guild(1)], refused: [guild(4, [reason, "full"]), guild(2, [reason, "stopped"])] }));
  const [row] = history.rows();
  assert.deepEqual(row.rates, { accepted: 5, restarts: 0, refused: 3 });
  assert.equal(row.refused, 6);
  assert.equal(history.seconds, 2);
});

test("a program that began anew counts from zero", () => {
  const history = new History();
  history.add(at(0, { accepted: [guild(500)] }));
  history.add(at(2, { accepted: [guild(4)] }));
  assert.deepEqual(history.rows()[0].rates, { accepted: 2 });
});

test("the same answer once more is no snapshot", () => {
  const history = new History();
  history.add(at(0, { accepted: [guild(5)] }));
  history.add(at(0, { accepted: [guild(5)] }));
  assert.deepEqual(history.rows()[0].rates, {});
});

test("a minute is kept", () => {
  const history = new History();
  for (let second = 0; second <= 300; second += 2) history.add(at(second, { accepted: [guild(second < 200 ? 0 : second - 200)] }));
  assert.equal(history.seconds, 60);
  assert.deepEqual(history.rows()[0].rates, { accepted: 1 });
});

test("two snapshots are kept, however far apart they are", () => {
  const history = new History();
  for (const second of [0, 100, 200]) history.add(at(second, { accepted: [guild(second)] }));
  assert.equal(history.seconds, 100);
  assert.deepEqual(history.rows()[0].rates, { accepted: 1 });
});

test("panics are failures with that reason", () => {
  const history = new History();
  history.add(at(0, { failed: [guild(7, [reason, "error"]), guild(2, [reason, "panic"])] }));
  assert.deepEqual([history.rows()[0].failed, history.rows()[0].panics], [9, 2]);
  assert.equal(history.has("panics"), true);
  const none = new History();
  none.add(at(0, { failed: [guild(7, [reason, "error"])] }));
  assert.equal(none.rows()[0].panics, 0);
  const unknown = new History();
  unknown.add(at(0, { failed: [guild(7)] }));
  assert.equal(unknown.rows()[0].panics, undefined);
  assert.equal(unknown.has("panics"), false);
});

test("the worst of several systems", () => {
  const history = new History();
  history.add(at(0, { oldest: [guild(2), guild(5), guild(3)], fullest: [guild(10), guild(1)] }));
  assert.deepEqual([history.rows()[0].oldest, history.rows()[0].fullest], [5, 10]);
});

test("histograms, of all time and of late", () => {
  const history = new History();
  history.add(at(0, { "queue.duration": [waits(1, 1, 0)] }));
  history.add(at(1, { "queue.duration": [waits(1, 4, 0)] }));
  const [row] = history.rows();
  assert.deepEqual(row.wait.counts, [1, 4, 0]);
  assert.deepEqual(row.recent.wait.counts, [0, 3, 0]);
  assert.equal(row.recent.handling, undefined);
});

test("kinds that come and go", () => {
  const history = new History();
  history.add(at(0, { accepted: [guild(5), value(1, [kind, "__proto__"])] }));
  history.add(at(1, { accepted: [guild(6), value(3, [kind, "new"])] }));
  assert.deepEqual(history.rows().map((row) => [row.kind, row.rates.accepted]), [["guild", 1], ["new", 3]]);
});
