// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Which rows a waterfall has, and which of them a window shows. Nothing here knows of pages.

import { itemsBelow } from "./trace_tree.js";

// Shown is what a person has opened and closed. Spans are open and folds are closed until
// somebody says otherwise. It is kept by key, so that it holds when more spans come in.
export class Shown {
  constructor() {
    this.closed = new Set(); // keys of spans
    this.opened = new Set(); // keys of folds
  }

  isOpen(item) { return item.fold ? this.opened.has(item.key) : !this.closed.has(item.key); }

  set(item, open) {
    const [keys, listed] = item.fold ? [this.opened, open] : [this.closed, !open];
    if (listed) keys.add(item.key); else keys.delete(item.key);
  }

  // all opens or closes every span that has children. Folds are closed with them, and are
  // opened one by one only.
  all(tree, open) {
    this.closed.clear();
    if (open) return;
    this.opened.clear();
    for (const node of tree.nodes) if (node.children.length > 0) this.closed.add(node.key);
  }

  // reveal opens all that hides a node. It returns whether there was anything.
  reveal(tree, node) {
    let changed = false;
    const open = (item) => {
      if (this.isOpen(item)) return;
      this.set(item, true);
      changed = true;
    };
    for (let n = node; n; n = n.parent) {
      if (n.parent) open(n.parent);
      const fold = itemsBelow(tree, n.parent).find((item) => item.fold && item.members.includes(n));
      if (fold) open(fold);
    }
    return changed;
  }
}

// visibleRows returns the rows from top to bottom, and for each node the number of the row
// that shows it: its own, or that of what it is hidden in.
//
// A row has the item, which is a node or a fold, its level, its position among the items of
// its level, how many these are, and whether it is open, which is undefined if nothing is
// below it.
export function visibleRows(tree, shown) {
  const rows = [], owner = new Int32Array(tree.nodes.length).fill(-1), stack = [];
  const push = (items, level) => {
    for (let i = items.length - 1; i >= 0; i--) stack.push({ item: items[i], level, position: i + 1, siblings: items.length });
  };
  push(itemsBelow(tree, null), 1);
  while (stack.length > 0) {
    const row = stack.pop(), { item, level } = row;
    const below = item.fold ? item.members : itemsBelow(tree, item);
    row.open = below.length > 0 ? shown.isOpen(item) : undefined;
    if (!item.fold) owner[item.index] = rows.length;
    else if (!row.open) for (const node of below) owner[node.index] = rows.length;
    rows.push(row);
    if (row.open) push(below, level + 1);
  }
  for (const { index, parent } of tree.nodes) {
    if (owner[index] < 0) owner[index] = owner[parent.index];
  }
  return { rows, owner };
}

// windowOf returns the first row that is to be in the page, and the one after the last:
// those between top and top + height, in pixels from the first row on, and a few around
// them.
export function windowOf({ top, height, rowHeight, count, around = 6 }) {
  const clamp = (row) => Math.max(0, Math.min(count, row));
  return { first: clamp(Math.floor(top / rowHeight) - around), last: clamp(Math.ceil((top + height) / rowHeight) + around) };
}

// pathPieces returns the critical path along the bars: the pieces of each row, by its number.
// What is hidden is on the row that hides it.
export function pathPieces(tree, owner) {
  const pieces = new Map();
  eachStep(tree, owner, ({ from_ns: from, to_ns: to, what }, row) => {
    if (!pieces.has(row)) pieces.set(row, []);
    const list = pieces.get(row), last = list.at(-1), gap = what === "gap";
    if (last && last.gap === gap && last.to >= from) last.to = Math.max(last.to, to); // It goes on without a pause.
    else list.push({ from, to, gap });
  });
  return pieces;
}

// pathLinks returns the lines between rows on which the critical path goes on. Steps that
// take less than shortest are left out, because nobody sees that there is more than one line.
export function pathLinks(tree, owner, shortest) {
  const links = [];
  let last;
  eachStep(tree, owner, ({ from_ns: from, to_ns: to }, row) => {
    if (to - from < shortest) return;
    if (last !== undefined && last !== row) links.push({ at: from, top: Math.min(last, row), bottom: Math.max(last, row) });
    last = row;
  });
  return links;
}

// eachStep calls f with each step and the number of its row. A step of a span that is not
// there belongs to the row of the step before it.
function eachStep(tree, owner, f) {
  let row;
  for (const step of tree.steps) {
    if (step.node) row = owner[step.node.index];
    if (row !== undefined) f(step, row);
  }
}

// closeUp returns pieces without the pauses between them that are shorter than shortest.
export function closeUp(pieces, shortest) {
  const closed = [];
  for (const piece of pieces) {
    const last = closed.at(-1);
    if (last && piece.from - last.to < shortest && (last.gap === piece.gap || piece.to - piece.from < shortest)) last.to = Math.max(last.to, piece.to);
    else closed.push({ ...piece });
  }
  return closed;
}
