// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import test from "node:test";

import { Counters, isTrouble, unitText } from "../../assets/health_counters.js";

const sum = (name, ...points) => ({
  name, unit: "{message}", description: "Messages.", kind: "sum", monotonic: true,
  points: points.map(([value, ...attributes]) => ({ attributes, value })),
});
const kind = (name) => ["waybill.process.kind", name];
const full = ["waybill.mailbox.reason", "full"];

test("counters are grouped by package, without what is zero", () => {
  const [mailbox, propagate] = new Counters().read({ metrics: [
    sum("waybill.propagate.malformed", [0]),
    sum("waybill.mailbox.refused", [3, full, kind("guild")], [0, full, kind("session")], [4, full, kind("")]),
    { name: "waybill.mailbox.wait", kind: "histogram", points: [{ attributes: [], count: 3 }] },
    { name: "waybill.mailbox.oldest", unit: "s", kind: "gauge", points: [{ attributes: [kind("a")], value: 1.5 }, { attributes: [kind("b")], value: "NaN" }] },
  ] });
  assert.equal(mailbox.name, "mailbox");
  assert.deepEqual(mailbox.counters.map((counter) => counter.name), ["waybill.mailbox.oldest", "waybill.mailbox.refused"]);
  const [oldest, refused] = mailbox.counters;
  assert.equal(oldest.value, 1.5);
  assert.equal(oldest.sums, false);
  assert.equal(oldest.trouble, false);
  assert.equal(refused.value, 7);
  assert.equal(refused.unit, "messages");
  assert.equal(refused.trouble, true);
  assert.deepEqual(refused.rows.map((row) => row.labels), [[["reason", "full"], ["kind", "guild"]], [["reason", "full"], ["kind", "(none)"]]]);
  assert.equal(propagate.counters[0].trouble, false, "it has counted nothing");
});

test("a value says what its attributes are", () => {
  const service = ["service.name", "chat"], channel = ["waybill.channel.name", "orders"];
  const [group] = new Counters().read({ metrics: [sum("waybill.channel.failed", [1, service, channel])] });
  assert.deepEqual(group.counters[0].rows[0].labels, [["service", "chat"], ["channel", "orders"]]);
  assert.equal(group.counters[0].one, "message");
});

test("what has come since the first reading", () => {
  const counters = new Counters();
  const read = (...points) => counters.read({ metrics: [sum("waybill.mailbox.refused", ...points)] })[0].counters[0];
  assert.equal(read([5, kind("guild")]).since, 0);
  assert.equal(read([8, kind("guild")], [2, kind("new")]).since, 5, "a kind that is new had nothing before");
  assert.equal(read([8, kind("guild")], [2, kind("new")]).since, 5);
  assert.equal(read([1, kind("guild")]).since, 1, "the program has begun anew");
});

test("a reader that is attached later begins then", () => {
  const counters = new Counters();
  counters.read({ attached: false, metrics: [] });
  assert.equal(counters.read({ metrics: [sum("waybill.mailbox.refused", [5])] })[0].counters[0].since, 0);
});

test("several providers have the same metric", () => {
  const [group] = new Counters().read({ metrics: [sum("waybill.mailbox.failed", [1, kind("a")]), sum("waybill.mailbox.failed", [2, kind("a")], [3, kind("b")])] });
  assert.deepEqual(group.counters[0].rows.map((row) => row.value), [3, 3]);
});

test("signs of trouble", () => {
  for (const name of ["mailbox.refused", "mailbox.dead_letters", "mailbox.late.shed", "mailbox.events.lost", "mailbox.save_failures",
    "sampling.shed.fanouts", "envelope.read.malformed", "fanout.dropped", "sampling.ignored"]) assert.ok(isTrouble("waybill." + name), name);
  for (const name of ["mailbox.accepted", "mailbox.handled", "propagate.unsampled.dropped", "propagate.boundary.ignored", "mailbox.slow",
    "mailbox.unrefused"]) assert.ok(!isTrouble("waybill." + name), name);
});

test("units", () => {
  assert.equal(unitText("{reply}"), "replies");
  assert.equal(unitText("{process}"), "processes");
  assert.equal(unitText("{process}", 1), "process");
  assert.equal(unitText("{lease}", 1), "lease");
  assert.equal(unitText("s"), "s");
});
