// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { diff, pathText, readable, rebase, valueText } from "../../assets/config_diff.js";

const base = () => ({
  default: { untraced: false, no_spans: false, late: {} },
  kinds: { session: { untraced: false, no_spans: true, late: { failures: true, slower_than: "100ms" } } },
  groups: { all: { curve: [{ size: 1, probability: 1 }], max_spans: 50 } },
});

test("no difference", () => assert.deepEqual(diff(base(), base()), []));

test("what differs is told setting by setting", () => {
  const after = base();
  after.kinds.session.late.slower_than = "1s";
  after.kinds.guild = { time_one_in: 1 };
  after.groups.all.curve.push({ size: 100, probability: 0.5 });
  delete after.groups.all.max_spans;
  assert.deepEqual(diff(base(), after), [
    { path: ["groups", "all", "curve"], before: [{ size: 1, probability: 1 }], after: [{ size: 1, probability: 1 }, { size: 100, probability: 0.5 }] },
    { path: ["groups", "all", "max_spans"], before: 50, after: undefined },
    { path: ["kinds", "guild", "time_one_in"], before: undefined, after: 1 },
    { path: ["kinds", "session", "late", "slower_than"], before: "100ms", after: "1s" },
  ]);
});

test("an empty object that fills is told by what fills it", () => {
  const after = base();
  after.default.late = { roots: true };
  assert.deepEqual(diff(base(), after), [{ path: ["default", "late", "roots"], before: undefined, after: true }]);
  after.groups.rest = {};
  assert.deepEqual(diff(base(), after)[1], { path: ["groups", "rest"], before: undefined, after: {} });
});

test("changes of both are joined", () => {
  const mine = base();
  const theirs = base();
  mine.groups.all.max_spans = 10;
  theirs.kinds.session.no_spans = false;
  const { merged, both } = rebase(base(), mine, theirs);
  assert.deepEqual(both, []);
  assert.equal(merged.groups.all.max_spans, 10);
  assert.equal(merged.kinds.session.no_spans, false);
  assert.equal(theirs.groups.all.max_spans, 50, "theirs is not changed");
});

test("what both have changed is told, and mine is taken", () => {
  const mine = base();
  const theirs = base();
  mine.groups.all.max_spans = 10;
  theirs.groups.all.max_spans = 20;
  mine.default.no_spans = theirs.default.no_spans = true;
  const { merged, both } = rebase(base(), mine, theirs);
  assert.deepEqual(both, [["groups", "all", "max_spans"]], "the same change is no conflict");
  assert.equal(merged.groups.all.max_spans, 10);
});

test("what was removed goes, and leaves no empty object", () => {
  const mine = base();
  delete mine.kinds.session;
  delete mine.groups.all.max_spans;
  const theirs = base();
  theirs.default.untraced = true;
  assert.deepEqual(rebase(base(), mine, theirs).merged, {
    default: { untraced: true, no_spans: false, late: {} },
    kinds: {},
    groups: { all: { curve: [{ size: 1, probability: 1 }] } },
  });
});

test("what they added to a kind that was removed stays", () => {
  const mine = base();
  delete mine.kinds.session;
  const theirs = base();
  theirs.kinds.session.time_one_in = 5;
  assert.deepEqual(rebase(base(), mine, theirs).merged.kinds, { session: { time_one_in: 5 } });
});

test("names are names, whatever they are", () => {
  const before = JSON.parse(`{"kinds": {"__proto__": {"no_spans": false}, "a.b": {"x": 1}}}`);
  const after = JSON.parse(`{"kinds": {"__proto__": {"no_spans": true}, "constructor": {"x": 1}, "a.b": {"x": 2}}}`);
  assert.deepEqual(diff(before, after).map((change) => change.path), [
    ["kinds", "__proto__", "no_spans"], ["kinds", "a.b", "x"], ["kinds", "constructor", "x"],
  ]);
  const { merged } = rebase(before, after, before);
  assert.equal(JSON.stringify(merged), JSON.stringify(JSON.parse(`{"kinds": {"__proto__": {"no_spans": true}, "a.b": {"x": 2}, "constructor": {"x": 1}}}`)));
  assert.equal({}.no_spans, undefined);
});

test("as text", () => {
  assert.equal(pathText(["kinds", "session", "late"]), "kinds › session › late");
  assert.equal(valueText(undefined), "as by default");
  assert.equal(valueText({ a: [1] }), '{"a":[1]}');
});

test("nothing is hidden in what people read", () => {
  const value = { "a\u202eb": "\u200b\u2028<b>é" };
  assert.equal(readable(value), '{"a\\u202eb":"\\u200b\\u2028<b>é"}');
  assert.deepEqual(JSON.parse(readable(value, 2)), value);
  assert.equal(valueText("x\u202e"), '"x\\u202e"');
  assert.equal(pathText(["kinds", "a\u202eb"]), "kinds › a·b");
});
