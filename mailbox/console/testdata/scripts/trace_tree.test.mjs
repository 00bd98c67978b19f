// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { density, itemsBelow, makeTree, matches, whole } from "../../assets/trace_tree.js";
import { names, span } from "./spans.mjs";

test("a tree of spans", () => {
  const tree = makeTree([span("a"), span("b", { depth: 1 }), span("c", { depth: 2 }), span("d", { depth: 1 }), span("e")]);
  assert.deepEqual(tree.nodes.map(({ parent }) => parent?.key ?? null), [null, "a", "b", "a", null]);
  assert.deepEqual(tree.nodes.map(({ below }) => below), [3, 1, 0, 0, 0]);
  assert.deepEqual(names(itemsBelow(tree, null)), ["a", "e"]);
  assert.deepEqual(names(itemsBelow(tree, tree.byKey.get("a"))), ["b", "d"]);
});

test("a tree of spans that cannot be", () => {
  const tree = makeTree([span("a", { depth: 7 }), span("b", { depth: 9 }), span("b", { depth: 9 }), span("c", { depth: -1 }), span("d", { duration_ns: -5 })]);
  assert.deepEqual(tree.nodes.map(({ key, parent }) => [key, parent?.key ?? null]),
    [["a", null], ["b", "a"], ["b#2", "a"], ["c", null], ["d", "c"]]);
  assert.equal(tree.byKey.get("d").end, 0, "no span ends before it begins");
  assert.deepEqual(makeTree([]).roots, []);
  assert.deepEqual(makeTree([span("__proto__"), span("constructor")]).nodes.map(({ key }) => key), ["__proto__", "constructor"]);
});

test("a tree as deep as it has spans", () => {
  const n = 20_000;
  const tree = makeTree(Array.from({ length: n }, (_, i) => span(`s${i}`, { depth: i, from_ns: i })), [{ span_id: `s${n - 1}`, from_ns: 0, to_ns: 1, what: "work" }]);
  assert.equal(tree.nodes[0].below, n - 1);
  assert.equal(tree.nodes[0].latest, n - 1 + 10);
  assert.ok(tree.nodes.every((node) => node.onPath));
});

test("the critical path marks spans and those above them", () => {
  const spans = [span("a"), span("b", { depth: 1 }), span("c", { depth: 2 }), span("d", { depth: 1 })];
  const tree = makeTree(spans, [{ span_id: "c", from_ns: 0, to_ns: 1, what: "work" }, { span_id: "gone", from_ns: 1, to_ns: 2, what: "gap" }]);
  assert.deepEqual(tree.nodes.filter(({ onPath }) => onPath).map(({ key }) => key), ["a", "b", "c"]);
  assert.deepEqual(tree.steps.map(({ node }) => node?.key ?? null), ["c", null]);
});

const fanout = (n, props = () => ({})) => [span("root"), ...Array.from({ length: n }, (_, i) =>
  span(`s${i}`, { depth: 1, name: "MessageCreate", from_ns: i, ...props(i) }))];
const children = (tree) => itemsBelow(tree, tree.nodes[0]);

test("few siblings alike are not folded", () => {
  assert.equal(children(makeTree(fanout(7))).length, 7);
  const tree = makeTree(fanout(100, (i) => ({ name: `MessageCreate ${i}` })));
  assert.equal(children(tree).length, 100, "nor are those of other names");
  assert.equal(children(makeTree(fanout(14, (i) => ({ service: `s${i % 2}` })))).length, 14, "or of other services");
});

test("many siblings alike are folded, but for those that tell most", () => {
  const spans = fanout(1000, (i) => ({ duration_ns: 10 + i, weight: 3, error: i === 5, late: i === 6 ? "slow" : "" }));
  const tree = makeTree(spans, [{ span_id: "s7", from_ns: 0, to_ns: 1, what: "work" }]);
  const items = children(tree);
  assert.deepEqual(names(items), ["s5", "s6", "s7", "s999", "fold"], "on the path, failed, late, and the longest, in their order");
  const fold = items.at(-1);
  assert.equal(fold.members.length, 996);
  assert.deepEqual([fold.begin, fold.latest, fold.shortest, fold.longest, fold.weight, fold.errors, fold.late], [0, 998 + 10 + 998, 10, 1008, 996 * 3, 0, 0]);
  assert.ok(fold.members.every((node, i, all) => i === 0 || all[i - 1].index < node.index));
});

test("what is on the critical path is not folded, unless it is very much", () => {
  const path = (n) => Array.from({ length: n }, (_, i) => ({ span_id: `s${i}`, from_ns: 0, to_ns: 1, what: "work" }));
  assert.equal(children(makeTree(fanout(50), path(20))).length, 21);
  assert.equal(children(makeTree(fanout(500), path(400))).length, 25);
  assert.equal(children(makeTree(fanout(10), path(8))).at(-1).members.length, 2);
  assert.deepEqual(names(children(makeTree(fanout(10), path(9)))).at(-1), "s9", "one span alone is not folded");
});

test("a fold is where the last of those that stay is", () => {
  const spans = [span("root"), ...Array.from({ length: 20 }, (_, i) => span(`s${i}`, { depth: 1, name: i % 2 ? "odd" : "even", from_ns: i, duration_ns: i < 8 ? 100 - i : 1 }))];
  assert.deepEqual(names(children(makeTree(spans))), ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "fold", "s7", "fold"]);
});

test("folds have other keys at other places", () => {
  const spans = [];
  for (const root of ["a", "b"]) spans.push(...fanout(10).map((s) => ({ ...s, span_id: root + s.span_id })));
  const tree = makeTree(spans), keys = tree.roots.map((root) => itemsBelow(tree, root).at(-1).key);
  assert.equal(new Set(keys).size, 2);
  assert.ok(keys.every((key) => !tree.byKey.has(key)));
});

test("how dense the spans of a fold are", () => {
  const tree = makeTree([span("a", { from_ns: 0, duration_ns: 10 }), span("b", { from_ns: 5, duration_ns: 5, wait_ns: 5 }), span("c", { from_ns: 30, duration_ns: 9 })]);
  assert.deepEqual(density(tree.nodes, 0, 40, 4), [1, 1, 0, 0.5]);
  assert.deepEqual(density(tree.nodes, 20, 40, 2), [0, 1], "what is outside does not count");
  assert.deepEqual(density(tree.nodes, 100, 200, 3), [0, 0, 0]);
});

test("the time that a trace takes", () => {
  assert.deepEqual(whole(makeTree([]), 0), { from: 0, to: 1 });
  assert.deepEqual(whole(makeTree([span("a", { wait_ns: 4, network_ns: 3 }), span("b", { from_ns: 50 })]), 20), { from: -7, to: 60 });
  assert.deepEqual(whole(makeTree([span("a")], [{ span_id: "a", from_ns: -9, to_ns: 99, what: "work" }]), 10), { from: -9, to: 99 });
});

test("the span of a message that was never handled is its waiting", () => {
  const { begin, end } = makeTree([span("a", { from_ns: 5, wait_ns: 10, unhandled: true })]).nodes[0];
  assert.deepEqual([begin, end], [5, 15]);
});

test("finding spans", () => {
  const tree = makeTree([
    span("a1", { name: "GET /Guilds", service: "api" }), span("b2", { process: "guild 7", service: "api" }),
    span("c3", { error: true, service: "x" }), span("d4", { late: "slow", service: "y" }),
  ]);
  const find = (text) => matches(tree, text).map(({ key }) => key);
  assert.deepEqual(find("guild"), ["a1", "b2"]);
  assert.deepEqual(find("API"), ["a1", "b2"]);
  assert.deepEqual(find(" FAILED "), ["c3"]);
  assert.deepEqual(find("slow"), ["d4"]);
  assert.deepEqual(find("b2"), ["b2"]);
  assert.deepEqual(find("  "), []);
  assert.deepEqual(find(".*"), []);
});
