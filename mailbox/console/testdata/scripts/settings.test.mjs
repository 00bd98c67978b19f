// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { formSettings, withGroup } from "../../assets/curve_editor.js";
import { factsOf } from "../../assets/sampling_group.js";
import { oneIn, withTiming } from "../../assets/timing_switch.js";

test("the settings in a form", () => {
  assert.deepEqual(formSettings([["100", "0.1"], ["1", "100"], ["", "5"], ["7", ""]], [["max_spans", "50"], ["spans_per_second", ""]], {}), {
    curve: [{ size: 1, probability: 1 }, { size: 100, probability: 0.001 }], max_spans: 50,
  });
});

test("what the program refuses is sent as it is, so that the program says why", () => {
  assert.deepEqual(formSettings([["1", "200"], ["1", "0"]], [["max_spans", "-3"]], {}), {
    curve: [{ size: 1, probability: 2 }, { size: 1, probability: 0 }], max_spans: -3,
  });
});

test("no limit stays what it was", () => {
  assert.deepEqual(formSettings([], [["max_spans", ""]], { max_spans: -1 }), { curve: [], max_spans: -1 });
  assert.deepEqual(formSettings([], [["max_spans", ""]], { max_spans: 5 }), { curve: [] });
  assert.deepEqual(formSettings([], [["max_spans", "0"]], { max_spans: 5 }), { curve: [] });
});

test("a group is changed in a copy", () => {
  const config = { default: {}, groups: { a: { max_spans: 1 }, b: {} } };
  assert.deepEqual(withGroup(config, "a", { max_spans: 2 }), { default: {}, groups: { a: { max_spans: 2 }, b: {} } });
  assert.deepEqual(withGroup(config, "a", undefined), { default: {}, groups: { b: {} } });
  assert.deepEqual(withGroup({ default: {} }, "a", {}), { default: {}, groups: { a: {} } });
  assert.equal(config.groups.a.max_spans, 1);
  assert.equal(JSON.stringify(withGroup({}, "__proto__", { max_spans: 1 })), '{"groups":{"__proto__":{"max_spans":1}}}');
});

test("what is timed", () => {
  const config = { default: { time_one_in: 9, no_spans: true }, kinds: { guild: { time_one_in: 1 }, session: {} } };
  assert.deepEqual(["guild", "session", "other", "constructor"].map((kind) => oneIn(config, kind)), [1, 0, 9, 9]);
  assert.deepEqual(withTiming(config, "other", 3).kinds.other, { time_one_in: 3, no_spans: true }, "it keeps the settings that it had by default");
  assert.deepEqual(withTiming(config, "guild", 0).kinds, { guild: { time_one_in: 0 }, session: {} });
  assert.deepEqual(withTiming({ default: {} }, "guild", 1), { default: {}, kinds: { guild: { time_one_in: 1 } } });
  assert.equal(config.kinds.other, undefined);
});

const settings = { curve: [{ size: 1, probability: 1 }, { size: 100, probability: 0.1 }] };
const texts = (group) => factsOf(group).map(([, text]) => text).join("\n");

test("what is said of a group", () => {
  const plain = texts({ from: "default", known: true, settings, shed_fanouts: 0, shed_spans: 0 });
  assert.match(plain, /follows the default/);
  assert.match(plain, /100\u00a0% of 1, 10\u00a0% of 100 recipients/);
  assert.match(plain, /No limit for one fan-out/);
  assert.doesNotMatch(plain, /last resort/i);
  const bounded = texts({ from: "group", known: false, settings: { ...settings, max_spans: 1, spans_per_second: 2.5, max_spans_per_second: 10 }, shed_fanouts: 3, shed_spans: 1 });
  assert.match(bounded, /has no group of this name/);
  assert.match(bounded, /At most 1\u00a0recipient is/);
  assert.match(bounded, /2\.50? recipients are sampled per second/);
  assert.match(bounded, /shed 3\u00a0fan-outs, which would have sampled 1\u00a0recipient\./);
  assert.match(texts({ from: "code", known: true, settings }), /WithSampling/);
  assert.match(texts({ from: "", known: false, settings: null }), /not known here/);
  assert.doesNotMatch(plain, /parts of larger ones/);
  assert.ok(factsOf({ from: "default", known: true, settings }, false, true).some(([key]) => key === "parts"));
});
