// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What is written at a bar of the waterfall, and where. Nothing here knows of pages.

import { duration } from "./format.js";
import { rangeText } from "./span_text.js";
import { percent } from "./time_scale.js";

const letterWidth = 6.3; // pixels of a letter, on average
const space = 10; // pixels around a text
const shortestWait = 1000; // nanoseconds of waiting that are worth a word

// barLabel returns how long an item took, in two texts of which the second may be empty, and
// where to write that: a class, and the place as a style. It is behind the bar, or before it.
// If there is no place for that, the waiting is left out, and then all is on the bar. view
// has the range of the time axis and its width in pixels.
export function barLabel(item, view) {
  const [work, waited] = texts(item), needed = waited ? `${work} ${waited}` : work;
  const long = beside(item, needed, view);
  if (long) return { ...long, work, waited };
  const short = beside(item, work, view);
  if (short) return { ...short, work, waited: "" };
  return { ...onBar(item, needed, view), work, waited };
}

function texts(item) {
  if (item.fold) return [rangeText(item), ""];
  const { span } = item;
  if (span.unhandled) return [`never handled, after ${duration(span.duration_ns)}`, ""];
  return [duration(span.duration_ns), span.wait_ns >= shortestWait ? `waited ${duration(span.wait_ns)}` : ""];
}

const endOf = ({ fold, latest, end }) => (fold ? latest : end);

// share returns how much of the width of the time axis a text needs, in percent.
function share(text, { width }) { return ((text.length * letterWidth + space) / Math.max(width, 1)) * 100; }

const behind = (at) => ({ left: `${Math.max(at, 0)}%` });
const before = (at) => ({ right: `${Math.max(100 - at, 0)}%` });

function beside(item, text, view) {
  const left = percent(view.range, item.begin), right = percent(view.range, endOf(item)), needed = share(text, view);
  if (right < 0) return { kind: "wf-earlier", style: behind(0) };
  if (left > 100) return { kind: "wf-later", style: before(100) };
  if (right + needed <= 100) return { kind: "", style: behind(right) };
  if (left - needed >= 0) return { kind: "", style: before(left) };
  return null;
}

// onBar puts a text on the end of a bar, or on its waiting if there is not so much work.
function onBar(item, text, view) {
  const right = percent(view.range, endOf(item)), needed = share(text, view);
  if (item.fold || item.span.unhandled) return { kind: "wf-on-bar", style: before(right) };
  const work = percent(view.range, item.span.from_ns);
  if (Math.min(right, 100) - Math.max(work, 0) >= needed) return { kind: "wf-on-work", style: before(right) };
  return { kind: "wf-on-bar", style: before(work >= needed ? work : right) };
}
