// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The table of the processes that were busiest.

import { h, set, setText } from "./dom.js";
import { percent } from "./format.js";
import { link } from "./pages.js";
import { sortableTable } from "./sortable.js";
import { oneLine } from "./span_text.js";
import { meanWait, processName, row } from "./timings_text.js";

// keyOf is a text for each process, and addressOf where its page is.
export const keyOf = ({ kind, id }) => JSON.stringify([kind, id]);
export const addressOf = (kind, id) => (id === "" ? link(["processes", kind], { unnamed: true }) : link(["processes", kind, id]));

// timingsTable makes the table. It returns what sortableTable does.
export function timingsTable() {
  return sortableTable({
    label: "Processes, slowest first",
    key: keyOf,
    by: {},
    columns: [
      { name: "process", title: "Process", header: true, update: updateName },
      { name: "share", title: "Share", unit: "of the time", numeric: true, help: "How much of the time the process was busy", update: updateShare },
      { name: "type", title: "Mostly", unit: "type of message", help: "The type of message that took most of its busy time", update: updateType },
      cell("busy", "Busy", "time"),
      cell("count", "Handled", "messages"),
      cell("longest", "Longest", "time", "How long the longest handling took"),
      cell("meanWait", "Mean wait", "time", "How long a message waited in the mailbox, on average", (p) => meanWait(p.all)),
      cell("longestWait", "Longest wait", "time", "How long the message waited that waited longest"),
    ],
  });
}

const cell = (name, title, unit, help) => ({ name, title, unit, help, numeric: true, text: (p) => row(p.all)[name] });

function updateName(cell, p) {
  if (!cell.firstChild) cell.append(h("a", { href: addressOf(p.kind, p.id) }, processName(p.kind, p.id)));
}

function updateShare(cell, p) {
  if (!cell.firstChild) cell.append(h("span", {}), h("span", { class: "meter", "aria-hidden": "true" }, h("span", {})));
  setText(cell.children[0], row(p.all).share);
  cell.children[1].firstChild.style.width = Math.min(p.all.share, 1) * 100 + "%";
  set(cell.children[1], "class", ["meter", p.all.share >= 0.8 && "high"]);
}

function updateType(cell, p) {
  const [first] = p.types;
  const of = first && p.all.busy_ns > 0 ? ` (${percent(first.busy_ns / p.all.busy_ns)} of it)` : "";
  setText(cell, first ? oneLine(first.type) + of : "–");
}

