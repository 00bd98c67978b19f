// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The tree of a trace's spans, and which siblings are folded into one row. Nothing here
// knows of pages.

const foldFrom = 8; // so many siblings alike are folded
const keptAlike = 4; // and so many of them keep a row of their own,
const keptOnPath = 24; // or more, if they are on the critical path

// makeTree returns the tree of spans that are in depth-first order, as the service sends
// them. path is the critical path. Spans may have any depth, and an ID may occur twice.
export function makeTree(spans, path = []) {
  const nodes = [], ancestors = [], seen = new Map();
  spans.forEach((span, index) => {
    while (ancestors.length > 0 && ancestors.at(-1).span.depth >= span.depth) ancestors.pop();
    const times = (seen.get(span.span_id) ?? 0) + 1;
    seen.set(span.span_id, times);
    const node = {
      index, span, key: times === 1 ? span.span_id : `${span.span_id}#${times}`,
      parent: ancestors.at(-1) ?? null, children: [], below: 0, onPath: false,
      begin: span.unhandled ? span.from_ns : span.from_ns - (span.wait_ns || 0) - (span.network_ns || 0), end: span.from_ns + Math.max(span.duration_ns, 0),
    };
    node.parent?.children.push(node);
    ancestors.push(node);
    nodes.push(node);
  });
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const tree = { nodes, byKey, roots: nodes.filter((node) => !node.parent), items: new Map() };
  tree.steps = path.map((step) => ({ ...step, node: byKey.get(step.span_id) ?? null }));
  for (const { node } of tree.steps) {
    for (let n = node; n && !n.onPath; n = n.parent) n.onPath = true;
  }
  for (const node of nodes) node.latest = node.end;
  for (let i = nodes.length - 1; i >= 0; i--) { // A parent comes before its children.
    const { parent } = nodes[i];
    if (!parent) continue;
    parent.below += nodes[i].below + 1;
    parent.latest = Math.max(parent.latest, nodes[i].latest);
  }
  return tree;
}

// itemsBelow returns what is one level below a node, or the roots for null: nodes, and
// folds of those alike.
export function itemsBelow(tree, node) {
  let items = tree.items.get(node);
  if (!items) {
    items = foldAlike(node ? node.children : tree.roots, node?.key ?? "");
    tree.items.set(node, items);
  }
  return items;
}

// foldAlike folds siblings of one name and service if they are many. Those that tell most
// stay; a fold comes after the last of them.
function foldAlike(siblings, parentKey) {
  if (siblings.length < foldFrom) return siblings;
  const groups = new Map();
  for (const node of siblings) {
    const key = JSON.stringify([node.span.service, node.span.name]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(node);
  }
  const foldAfter = new Map(), folded = new Set();
  for (const [key, group] of groups) {
    if (group.length < foldFrom) continue;
    const ranked = [...group].sort((a, b) => rank(b) - rank(a) || b.latest - b.begin - (a.latest - a.begin) || a.index - b.index);
    const onPath = ranked.filter((node) => node.onPath).length;
    const kept = new Set(ranked.slice(0, Math.max(keptAlike, Math.min(onPath, keptOnPath))));
    const members = group.filter((node) => !kept.has(node));
    if (members.length < 2) continue;
    members.forEach((node) => folded.add(node));
    foldAfter.set(group.findLast((node) => kept.has(node)), makeFold(`${parentKey}/${key}`, members));
  }
  if (folded.size === 0) return siblings;
  return siblings.flatMap((node) => {
    if (folded.has(node)) return [];
    return foldAfter.has(node) ? [node, foldAfter.get(node)] : [node];
  });
}

function rank({ onPath, span }) {
  return (onPath ? 4 : 0) + (span.error ? 2 : 0) + (span.late ? 1 : 0);
}

// makeFold returns what a row says of members together.
function makeFold(key, members) {
  const fold = {
    key, members, fold: true, name: members[0].span.name, service: members[0].span.service, process: "",
    below: 0, begin: Infinity, latest: -Infinity, shortest: Infinity, longest: 0, weight: 0, errors: 0, late: 0,
  };
  for (const { span, below, begin, latest } of members) {
    fold.below += below;
    fold.begin = Math.min(fold.begin, begin);
    fold.latest = Math.max(fold.latest, latest);
    fold.shortest = Math.min(fold.shortest, span.duration_ns);
    fold.longest = Math.max(fold.longest, span.duration_ns);
    fold.weight += span.weight || 0;
    if (span.error) fold.errors++;
    if (span.late) fold.late++;
  }
  return fold;
}

// density returns how many of nodes wait or work in each of count equal parts of the time
// between from and to, divided by the largest of these numbers.
export function density(nodes, from, to, count) {
  const changes = new Float64Array(count + 1), part = (at) => ((at - from) / (to - from)) * count;
  for (const { begin, end } of nodes) {
    if (end < from || begin > to) continue;
    changes[Math.max(0, Math.min(count - 1, Math.floor(part(begin))))]++;
    changes[Math.max(1, Math.min(count, Math.floor(part(end)) + 1))]--;
  }
  let sum = 0, most = 1;
  const parts = Array.from(changes.subarray(0, count), (change) => {
    sum += change;
    most = Math.max(most, sum);
    return sum;
  });
  return parts.map((n) => n / most);
}

// whole returns the time that a trace takes, the waiting before its first span included.
export function whole(tree, duration) {
  let from = 0, to = Math.max(duration, 1);
  for (const { begin, end } of tree.nodes) {
    from = Math.min(from, begin);
    to = Math.max(to, end);
  }
  for (const step of tree.steps) {
    from = Math.min(from, step.from_ns);
    to = Math.max(to, step.to_ns);
  }
  return { from, to };
}

// matches returns the nodes in which a person finds text: in the name, the service, the
// process, the ID or the reason of a late span.
export function matches(tree, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  return tree.nodes.filter(({ span }) => [span.name, span.service, span.process, span.span_id, span.late, span.error ? "failed" : ""]
    .some((value) => value && value.toLowerCase().includes(wanted)));
}
