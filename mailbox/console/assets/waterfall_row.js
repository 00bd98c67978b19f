// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// One row of the waterfall: the name of a span in the tree, and its bar on the time axis.

import { barLabel } from "./bar_label.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { colour } from "./services.js";
import { itemLabel, lateText, oneLine, recipients, weightText } from "./span_text.js";
import { piece } from "./time_scale.js";
import { icon } from "./trace_icons.js";
import { closeUp } from "./trace_rows.js";
import { density } from "./trace_tree.js";

const densityParts = 60; // parts of the bar of a fold, each as dark as it has spans

// fillRow fills the element of a row. view has the range of the time axis, its width in
// pixels and the time that a pixel is, the indentation of each level, the pieces of the
// critical path by number of the row, and the keys of what is active, selected and found.
export function fillRow(element, row, index, view) {
  const { item } = row;
  const attributes = {
    "aria-rowindex": index + 2, // The axis is the first row.
    "aria-level": row.level, "aria-posinset": row.position, "aria-setsize": row.siblings,
    "aria-expanded": row.open, "aria-label": itemLabel(item),
    "aria-selected": item.key === view.selected, tabindex: item.key === view.active ? 0 : -1,
  };
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, String(value));
  }
  element.className = ["wf-row", item.fold && "wf-fold", item.onPath && "wf-on-path", item.span?.error && "wf-failed",
    item.key === view.selected && "wf-selected", view.found.has(item.key) && "wf-found"].filter(Boolean).join(" ");
  element.style.setProperty("--service", colour(item.fold ? item.service : item.span.service));
  element.replaceChildren(nameCell(row, view), timeCell(row, index, view));
}

function nameCell(row, view) {
  const { item } = row, indent = view.indent(row.level);
  return h("div", { class: "wf-name", role: "gridcell" },
    h("span", { class: ["wf-indent", indent.lines && "wf-guides"], style: { width: `${indent.width}px`, "--step": `${indent.step}px` } }),
    h("span", { class: ["wf-toggle", row.open && "wf-open"], dataset: { toggle: "" } }, row.open === undefined ? null : icon("chevron")),
    h("span", { class: "wf-swatch" }),
    h("span", { class: "wf-text" }, item.fold ? foldName(item) : spanName(row)), h("span", { class: "wf-marks" }, item.fold ? foldMarks(item) : spanMarks(item.span)));
}

function spanName({ item, open }) {
  const { span } = item;
  return [
    h("bdi", { class: "wf-title", title: oneLine(span.name, 400) }, oneLine(span.name) || "(no name)"),
    open === false && h("span", { class: "wf-more" }, `+${count(item.below)}`),
    [span.process, span.service].filter(Boolean).map((text) => h("bdi", { class: "wf-of" }, oneLine(text, 60))),
  ];
}

function foldName(fold) {
  return [h("span", { class: "wf-title" }, `${count(fold.members.length)} more `, h("bdi", {}, oneLine(fold.name)))];
}

function spanMarks({ error, late, weight, links, restarted, parent_missing: orphan }) {
  return [
    error && mark("error", "failed", "failed"),
    late && mark("late", "late", lateText(late)),
    restarted && mark("late", "restarted", "restarted"),
    weightText(weight) && h("span", { class: ["mark", weight === 0 ? "mark-uncounted" : "mark-weight"] }, weightText(weight)),
    orphan && h("span", { class: "mark mark-uncounted" }, "no parent"),
    links > 0 && h("span", { class: "mark mark-link" }, icon("link"), links > 1 ? count(links) : null),
  ];
}

function foldMarks({ errors, late, weight, members }) {
  return [
    errors > 0 && mark("error", "failed", `${count(errors)} failed`),
    late > 0 && mark("late", "late", `${count(late)} late`),
    weight > 0 && weight !== members.length && h("span", { class: "mark mark-weight" }, `× ${recipients(weight)}`),
  ];
}

function mark(kind, drawing, text) { return h("span", { class: `mark mark-${kind}`, title: text }, icon(drawing), h("span", { class: "mark-word" }, text)); }

function timeCell({ item }, index, view) {
  const cell = h("div", { class: "wf-time", role: "gridcell" }, item.fold ? foldBars(item, view) : spanBars(item, view));
  for (const { from, to, gap } of closeUp(view.pieces.get(index) ?? [], view.pixel)) {
    const at = piece(view.range, from, to);
    if (at) cell.append(bar(gap ? "wf-path wf-gap" : "wf-path", at));
  }
  cell.append(label(item, view));
  return cell;
}

// spanBars returns what lies one after the other: the network, the mailbox or the queue of
// a channel, and the work. The span of a message that was never handled is the waiting.
function spanBars({ span, begin, end }, { range }) {
  const received = begin + (span.unhandled ? 0 : span.network_ns || 0);
  const parts = span.unhandled ? [["wf-wait wf-unhandled", begin, end]]
    : [["wf-network", begin, received], ["wf-wait", received, span.from_ns], ["wf-work", span.from_ns, end]];
  return parts.filter(([kind, from, to]) => to > from || kind === parts.at(-1)[0]).map(([kind, from, to]) => {
    const at = piece(range, from, to);
    return at && bar(kind, at);
  });
}

function foldBars(fold, { range }) {
  const at = piece(range, fold.begin, fold.latest);
  if (!at) return [];
  const length = range.to - range.from, from = range.from + (at.left / 100) * length;
  const shades = density(fold.members, from, from + Math.max((at.width / 100) * length, 1), densityParts);
  const strip = bar("wf-strip", at);
  const stops = shades.map((share, i) => {
    const shade = share === 0 ? "transparent" : `color-mix(in srgb, var(--service) ${Math.round(25 + 75 * share)}%, transparent)`;
    return `${shade} ${(i / densityParts) * 100}% ${((i + 1) / densityParts) * 100}%`;
  });
  strip.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
  return [strip];
}

function bar(kind, { left, width }) {
  return h("span", { class: `wf-bar ${kind}`, style: { left: `${left}%`, width: `${width}%` } });
}

function label(item, view) {
  const { kind, style, work, waited } = barLabel(item, view);
  return h("span", { class: ["wf-label", kind], style }, work, waited && h("span", { class: "wf-waited" }, " " + waited));
}
