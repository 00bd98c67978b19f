// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The table of kinds of processes.

import { h, set, setText } from "./dom.js";
import { count, duration, number, percent } from "./format.js";
import { quantile } from "./histogram.js";
import { changeQuery, link } from "./pages.js";
import { sortableTable } from "./sortable.js";
import { oneLine } from "./span_text.js";

const none = "–";
const nanoseconds = (seconds) => duration(seconds * 1e9);

// kindsTable makes the table. query has the order, and history what is known. It
// returns {element, notes, update(rows)}.
export function kindsTable({ query, history }) {
  let recent = false;
  let rows = [];
  const table = sortableTable({
    label: "Kinds of processes",
    columns: columns(() => recent),
    key: (row) => row.kind,
    by: { column: query.get("sort") ?? "kind", descending: query.get("order") === "descending" },
    sorted: ({ column, descending }) => changeQuery({ sort: column, order: descending && "descending" }),
  });
  const since = h("select", { onchange: () => { recent = since.value === "recent"; table.update(rows); } },
    h("option", { value: "" }, "since the program began"), h("option", { value: "recent" }, "of the last minute"));
  const times = h("label", { class: "inline" }, "Waits and handling times ", since);
  const missing = h("p", { class: "muted" });
  return {
    element: table.element,
    notes: h("div", { class: "notes" }, times,
      h("p", { class: "muted" }, "Waits and handling times are those of the messages that are timed; “What is timed” below says which. 99\u00a0% of the values are at most p99, and half of them are at most p50. Both are estimated inside a bucket of a histogram, so they are as exact as the bucket is narrow."),
      missing),
    update(next) {
      rows = next;
      table.columns((column) => column.name === "kind" || history.has(column.needs));
      table.update(rows);
      times.hidden = !history.has("wait") && !history.has("handling");
      const absent = optional.filter(([name]) => !history.has(name)).map(([, text]) => text);
      setText(missing, absent.length > 0 ? "Not reported by this program: " + absent.join(", ") + "." : "");
    },
  };
}

const optional = [
  ["fullest", "the fullest mailbox"], ["oldest", "the oldest message"], ["panics", "panics"],
  ["wait", "how long messages wait (of kinds that are timed)"], ["handling", "how long handling takes (of kinds that are timed)"],
];

function columns(isRecent) {
  return [
    { name: "kind", title: "Kind", header: true, sort: (row) => row.kind, update: updateKind },
    gauge("processes", "Processes", "alive", "Processes that are alive now"),
    gauge("queued", "Queued", "messages", "Messages that are in a mailbox, or being handled"),
    { ...gauge("fullest", "Fullest mailbox", "messages", "Messages in the fullest mailbox of the kind, and how much of its capacity that is"), update: updateFullest },
    { ...gauge("oldest", "Oldest", "message, age", "How old the oldest message is that is in a mailbox or being handled"),
      text: (row) => (row.oldest > 0 ? nanoseconds(row.oldest) : none) },
    times("wait", "Queue wait", "How long messages waited in the mailbox", isRecent),
    times("handling", "Handling", "How long handling took", isRecent),
    counter("accepted", "Accepted", "messages", "Messages that were taken into a mailbox"),
    counter("handled", "Handled", "messages", "Messages whose handler returned nil"),
    counter("failed", "Failed", "messages", "Messages whose handler failed, by an error or a panic", "warn"),
    counter("panics", "Panics", "messages", "Of those that failed, the messages whose handler panicked", "error"),
    counter("refused", "Refused", "messages", "Messages that were not taken into a mailbox", "warn"),
    counter("dead_letters", "Dead letters", "messages", "Messages that were accepted and never handled", "warn"),
    counter("restarts", "Restarts", "processes", "Restarts of processes after a failure", "warn"),
    gauge("waiting", "Waiting", "senders", "Senders that wait for room in a mailbox"),
  ];
}

const gauge = (name, title, unit, help) => ({
  name, needs: name, title, unit, help, numeric: true,
  sort: (row) => row[name], text: (row) => (row[name] === undefined ? none : count(row[name])),
});

// counter is a column with a total, and how fast it grows. alarm is the class of a total
// that is not zero.
const counter = (name, title, unit, help, alarm) => ({
  ...gauge(name, title, unit, help + ". The small figure is how many per second"),
  update(cell, row) {
    if (!cell.firstChild) cell.append(h("span", {}), h("span", { class: "rate" }));
    const [total, rate] = cell.children;
    setText(total, row[name] === undefined ? none : count(row[name]));
    if (alarm) set(total, "class", row[name] > 0 && alarm);
    setText(rate, row.rates[name] > 0 ? number(rounded(row.rates[name])) + "/s" : "");
  },
});

const rounded = (rate) => Number(rate.toPrecision(3));

function updateKind(cell, row) {
  if (!cell.firstChild) cell.append(h("a", { href: link(["processes", row.kind]) }, oneLine(row.kind) || "without a name"));
}

function updateFullest(cell, row) {
  if (!cell.firstChild) cell.append(h("span", {}), h("span", { class: "rate" }));
  setText(cell.children[0], row.fullest === undefined ? none : count(row.fullest));
  setText(cell.children[1], row.utilization > 0 ? percent(row.utilization) + " full" : "");
  set(cell.children[1], "class", ["rate", row.utilization >= 0.9 && "error"]);
}

// times is the column of a histogram: p99, below it p50, and an example that leads to a
// trace.
function times(name, title, help, isRecent) {
  const at = (row, q) => {
    const histogram = isRecent() ? row.recent[name] : row[name];
    return histogram && quantile(histogram, q);
  };
  return {
    name, needs: name, title, unit: "p99, p50", help, numeric: true,
    sort: (row) => at(row, 0.99)?.value,
    update(cell, row) {
      if (!cell.firstChild) cell.append(h("span", {}), h("span", { class: "rate" }), h("span", { class: "rate", hidden: true }, "such as ", h("a", {})));
      const [p99, p50, example] = cell.children;
      write(p99, "p99", at(row, 0.99));
      write(p50, "p50", at(row, 0.5));
      updateExample(example, row[name]);
    },
  };
}

function write(element, label, found) {
  const text = found ? (found.open ? ">\u00a0" : "") + nanoseconds(found.value) : none;
  setText(element, label === "p50" ? (found ? "p50 " + text : "") : text);
  set(element, "title", found && `${label}: ${found.open ? `above ${nanoseconds(found.low)}` : `between ${nanoseconds(found.low)} and ${nanoseconds(found.high)}`}`);
}

// updateExample links to the trace of the largest value of which an exemplar is there.
function updateExample(element, histogram) {
  const largest = histogram?.exemplars.reduce((best, e) => (best && Number(best.value) >= Number(e.value) ? best : e), undefined);
  element.hidden = !largest;
  if (!largest) return;
  const anchor = element.querySelector("a");
  set(anchor, "href", link(["traces", largest.trace_id, largest.span_id]));
  set(anchor, "title", "The trace in which this took so long");
  setText(anchor, nanoseconds(Number(largest.value)));
}
