// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What rows say of spans. Nothing here knows of pages.

import { count, duration, number } from "./format.js";

const longestName = 160; // characters in a row; the details have the whole

// oneLine returns a text that fits into a row: without line breaks and other characters
// that nobody sees, and cut where it is long.
export function oneLine(text, longest = longestName) {
  const visible = text.slice(0, longest * 4)
    .replace(/\r\n|[\n\r\u2028\u2029]/g, "⏎")
    .replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "·");
  const characters = Array.from(visible); // No character is cut in half.
  if (characters.length <= longest && text.length <= longest * 4) return visible;
  return characters.slice(0, longest).join("") + "…";
}

// recipients writes a weight, however large it is.
export function recipients(weight) { return weight < 1e12 ? number(weight) : weight.toPrecision(3); }

// weightText returns how many recipients a span stands for, such as "× 1,000", or
// "uncounted", or nothing if it stands for itself.
export function weightText(weight) {
  if (weight == null || weight === 1) return "";
  return weight === 0 ? "uncounted" : `× ${recipients(weight)}`;
}

// itemLabel returns what a reader of the screen says of a row.
export function itemLabel(item) {
  const parts = item.fold ? foldParts(item) : spanParts(item);
  return parts.filter(Boolean).join(", ");
}

function spanParts({ span, onPath }) {
  return [
    oneLine(span.name) || "span without a name", span.service && `service ${oneLine(span.service)}`, span.process && `process ${oneLine(span.process)}`,
    ...times(span),
    span.weight === 0 ? "uncounted" : weightText(span.weight) && `stands for ${recipients(span.weight)} recipients`,
    span.error && "failed", span.late && `late span: ${lateText(span.late)}`, span.restarted && "after a restart",
    onPath && "on the critical path", span.links > 0 && (span.links === 1 ? "1 link" : `${count(span.links)} links`),
    span.parent_missing && "its parent is not here",
  ];
}

function times(span) {
  if (span.unhandled) return [`never handled, after ${duration(span.duration_ns)}`];
  return [
    span.network_ns > 0 && `on the network for ${duration(span.network_ns)}`,
    span.wait_ns > 0 && `waited ${duration(span.wait_ns)}`, `${worked(span)} ${duration(span.duration_ns)}`,
  ];
}

// worked says "worked" of the handling of a message, and "took" of other spans, which may
// wait for others themselves.
export function worked(span) { return span.process || span.wait_ns > 0 ? "worked" : "took"; }

function foldParts(fold) {
  return [
    `${count(fold.members.length)} more ${oneLine(fold.name)}`, fold.service && `service ${oneLine(fold.service)}`,
    `${worked(fold.members[0].span)} ${rangeText(fold)}`, fold.weight > 0 && `stand for ${recipients(fold.weight)} recipients`,
    fold.errors > 0 && `${count(fold.errors)} failed`, fold.late > 0 && `${count(fold.late)} late spans`,
  ];
}

// rangeText returns the shortest and the longest duration of a fold.
export function rangeText({ shortest, longest }) {
  const from = duration(shortest), to = duration(longest);
  return from === to ? from : `${from} to ${to}`;
}

// lateText returns the reason of a late span in words.
export function lateText(reason) { return oneLine(reason, 40).replaceAll("_", " "); }

const whats = ["work", "wait", "network", "gap"];

// pathShares returns how much of the critical path is each kind of step, the largest first,
// as {what, ns, share}.
export function pathShares(path) {
  const sums = new Map();
  let all = 0;
  for (const { what, from_ns: from, to_ns: to } of path) {
    const ns = Math.max(to - from, 0);
    if (!whats.includes(what)) continue;
    sums.set(what, (sums.get(what) ?? 0) + ns);
    all += ns;
  }
  return [...sums].filter(([, ns]) => ns > 0).map(([what, ns]) => ({ what, ns, share: ns / all })).sort((a, b) => b.ns - a.ns);
}
