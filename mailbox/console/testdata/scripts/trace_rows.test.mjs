// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { closeUp, pathLinks, pathPieces, Shown, visibleRows, windowOf } from "../../assets/trace_rows.js";
import { itemsBelow, makeTree } from "../../assets/trace_tree.js";
import { names, random, someSpans, span } from "./spans.mjs";

const small = () => makeTree([span("a"), span("b", { depth: 1 }), span("c", { depth: 2 }), span("d", { depth: 1 }), span("e")]);
const rowNames = ({ rows }) => names(rows.map(({ item }) => item));

test("rows of a tree that is open", () => {
  const { rows, owner } = visibleRows(small(), new Shown());
  assert.deepEqual(rows.map(({ item, level, position, siblings, open }) => [item.key, level, position, siblings, open]), [
    ["a", 1, 1, 2, true], ["b", 2, 1, 2, true], ["c", 3, 1, 1, undefined], ["d", 2, 2, 2, undefined], ["e", 1, 2, 2, undefined],
  ]);
  assert.deepEqual([...owner], [0, 1, 2, 3, 4]);
});

test("what is closed shows what is hidden in it", () => {
  const tree = small(), shown = new Shown();
  shown.set(tree.byKey.get("a"), false);
  const view = visibleRows(tree, shown);
  assert.deepEqual(rowNames(view), ["a", "e"]);
  assert.equal(view.rows[0].open, false);
  assert.deepEqual([...view.owner], [0, 0, 0, 0, 1]);
  shown.set(tree.byKey.get("a"), true);
  assert.equal(visibleRows(tree, shown).rows.length, 5);
});

test("all closed, all open, and one revealed", () => {
  const tree = small(), shown = new Shown();
  shown.all(tree, false);
  assert.deepEqual(rowNames(visibleRows(tree, shown)), ["a", "e"]);
  assert.ok(shown.reveal(tree, tree.byKey.get("c")));
  assert.deepEqual(rowNames(visibleRows(tree, shown)), ["a", "b", "c", "d", "e"]);
  assert.ok(!shown.reveal(tree, tree.byKey.get("c")), "it is already to be seen");
  shown.all(tree, false);
  shown.all(tree, true);
  assert.equal(visibleRows(tree, shown).rows.length, 5);
});

const fanout = makeTree([span("root"), ...Array.from({ length: 20 }, (_, i) => [
  span(`s${i}`, { depth: 1, name: "x", duration_ns: 100 - i }), span(`t${i}`, { depth: 2 })]).flat()]);

test("a fold is closed at first, and its members are below it", () => {
  const shown = new Shown(), fold = itemsBelow(fanout, fanout.nodes[0]).at(-1);
  const view = visibleRows(fanout, shown), number = view.rows.length - 1;
  assert.deepEqual(rowNames(view), ["root", "s0", "t0", "s1", "t1", "s2", "t2", "s3", "t3", "fold"]);
  assert.equal(view.rows[number].open, false);
  assert.equal(view.owner[fanout.byKey.get("s9").index], number);
  assert.equal(view.owner[fanout.byKey.get("t9").index], number, "so are those below them");
  shown.set(fold, true);
  const open = visibleRows(fanout, shown), at = open.rows.findIndex(({ item }) => item.key === "s9");
  assert.equal(open.rows.length, 42);
  assert.deepEqual([open.rows[at].level, open.rows[at].position, open.rows[at].siblings, open.rows[at + 1].level], [3, 6, 16, 4]);
});

test("a span in a fold is revealed", () => {
  const shown = new Shown();
  shown.all(fanout, false);
  assert.ok(shown.reveal(fanout, fanout.byKey.get("t9")));
  const view = visibleRows(fanout, shown);
  assert.equal(view.rows[view.owner[fanout.byKey.get("t9").index]].item.key, "t9");
});

test("what is open stays when more spans come in", () => {
  const spans = [span("root"), ...Array.from({ length: 30 }, (_, i) => span(`s${i}`, { depth: 1, name: "x", duration_ns: 100 - i }))];
  const shown = new Shown(), before = makeTree(spans.slice(0, 20));
  shown.set(itemsBelow(before, before.nodes[0]).at(-1), true);
  assert.equal(visibleRows(makeTree(spans), shown).rows.length, 32);
});

test("rows of any tree", () => {
  for (let round = 0; round < 200; round++) {
    const seed = Math.floor(Math.random() * 2 ** 31), chance = random(seed), tree = makeTree(someSpans(1 + Math.floor(chance() * 120), chance));
    const shown = new Shown();
    for (const node of [null, ...tree.nodes]) {
      for (const item of itemsBelow(tree, node)) if (chance() < 0.3) shown.set(item, !shown.isOpen(item));
    }
    check(tree, shown, `seed ${seed}`);
    const node = tree.nodes[Math.floor(chance() * tree.nodes.length)];
    shown.reveal(tree, node);
    const { rows, owner } = check(tree, shown, `seed ${seed}`);
    assert.equal(rows[owner[node.index]].item, node, `seed ${seed}`);
    for (const item of [null, ...tree.nodes].flatMap((n) => itemsBelow(tree, n))) shown.set(item, true);
    const all = check(tree, shown, `seed ${seed}`);
    assert.equal(all.rows.filter(({ item }) => !item.fold).length, tree.nodes.length, `seed ${seed}: every span has a row`);
  }
});

// check returns the rows, and checks them against what the tree says.
function check(tree, shown, seed) {
  const view = visibleRows(tree, shown), { rows, owner } = view, numbers = new Map(rows.map(({ item }, i) => [item, i]));
  assert.equal(numbers.size, rows.length, `${seed}: no item has two rows`);
  const folds = new Map([null, ...tree.nodes].flatMap((n) => itemsBelow(tree, n)).filter(({ fold }) => fold).flatMap((f) => f.members.map((m) => [m, f])));
  for (const node of tree.nodes) {
    let row = numbers.get(node); // the row of the node, or the nearest row that it is in
    for (let n = node; row === undefined; n = n.parent) row = numbers.get(n) ?? numbers.get(folds.get(n));
    assert.equal(owner[node.index], row, `${seed}: ${node.key}`);
  }
  rows.forEach(({ item, level, position, siblings, open }, i) => {
    const below = item.fold ? item.members : itemsBelow(tree, item);
    assert.equal(open, below.length === 0 ? undefined : shown.isOpen(item), seed);
    if (open) assert.deepEqual([rows[i + 1].item, rows[i + 1].level, rows[i + 1].position], [below[0], level + 1, 1], seed);
    if (i > 0) assert.ok(level <= rows[i - 1].level + 1, seed);
    assert.ok(position >= 1 && position <= siblings, seed);
  });
  return view;
}

test("the window of rows", () => {
  const rows = (top, height, count) => windowOf({ top, height, rowHeight: 10, count, around: 2 });
  assert.deepEqual(rows(0, 100, 1000), { first: 0, last: 12 });
  assert.deepEqual(rows(505, 100, 1000), { first: 48, last: 63 });
  assert.deepEqual(rows(9950, 100, 1000), { first: 993, last: 1000 });
  assert.deepEqual(rows(-300, 100, 1000), { first: 0, last: 0 }, "the rows are below the window");
  assert.deepEqual(rows(99_999, 100, 1000), { first: 1000, last: 1000 }, "or above it");
  assert.deepEqual(rows(0, 100, 3), { first: 0, last: 3 });
});

const step = (id, from, to, what = "work") => ({ span_id: id, from_ns: from, to_ns: to, what });
const path = [step("a", 0, 10), step("b", 10, 15, "wait"), step("b", 15, 20), step("c", 20, 30), step("b", 30, 40), step("gone", 40, 50, "gap"), step("e", 50, 60, "gap"), step("e", 60, 70)];
const onPath = makeTree([span("a"), span("b", { depth: 1 }), span("c", { depth: 2 }), span("d", { depth: 1 }), span("e")], path);

test("the critical path lies on rows", () => {
  const shown = new Shown(), { owner } = visibleRows(onPath, shown);
  assert.deepEqual([...pathPieces(onPath, owner)], [
    [0, [{ from: 0, to: 10, gap: false }]],
    [1, [{ from: 10, to: 20, gap: false }, { from: 30, to: 40, gap: false }, { from: 40, to: 50, gap: true }]],
    [2, [{ from: 20, to: 30, gap: false }]],
    [4, [{ from: 50, to: 60, gap: true }, { from: 60, to: 70, gap: false }]],
  ]);
  assert.deepEqual(pathLinks(onPath, owner, 0), [
    { at: 10, top: 0, bottom: 1 }, { at: 20, top: 1, bottom: 2 }, { at: 30, top: 1, bottom: 2 }, { at: 50, top: 1, bottom: 4 },
  ]);
  shown.set(onPath.byKey.get("a"), false);
  const closed = visibleRows(onPath, shown).owner;
  assert.deepEqual(pathPieces(onPath, closed).get(0), [{ from: 0, to: 40, gap: false }, { from: 40, to: 50, gap: true }], "what is hidden is on the row that hides it");
  assert.deepEqual(pathLinks(onPath, closed, 0), [{ at: 50, top: 0, bottom: 1 }]);
  const nothing = makeTree([span("a")], [step("gone", 0, 1)]);
  assert.deepEqual([pathPieces(nothing, [0]).size, pathLinks(nothing, [0], 0)], [0, []]);
});

test("what nobody sees of the critical path is not drawn", () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => step(i % 2 ? "a" : `s${i}`, i, i + 1)), spans = [span("a")];
  for (let i = 0; i < 10_000; i += 2) spans.push(span(`s${i}`, { depth: 1, name: `name ${i}` }));
  const tree = makeTree(spans, [...steps, step("s0", 10_000, 11_000)]), { owner } = visibleRows(tree, new Shown()), pixel = 20;
  assert.deepEqual(pathLinks(tree, owner, pixel), []);
  assert.equal(pathLinks(tree, owner, 1).length, 10_000);
  assert.equal(pathPieces(tree, owner).get(0).length, 5000);
  assert.deepEqual(closeUp(pathPieces(tree, owner).get(0), pixel), [{ from: 1, to: 10_000, gap: false }]);
});

test("pieces close up over short pauses only", () => {
  const piece = (from, to, gap = false) => ({ from, to, gap });
  assert.deepEqual(closeUp([piece(0, 10), piece(11, 20), piece(40, 50)], 5), [piece(0, 20), piece(40, 50)]);
  assert.deepEqual(closeUp([piece(0, 10), piece(10, 30, true), piece(30, 40)], 5), [piece(0, 10), piece(10, 30, true), piece(30, 40)], "a gap is to be seen");
  assert.deepEqual(closeUp([piece(0, 10), piece(10, 12, true), piece(12, 40)], 5), [piece(0, 40)], "unless it is too short");
  assert.deepEqual(closeUp([], 5), []);
});
