// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The table of the list of traces.
import { h, keyed, replace, setText } from "./dom.js";
import { clock, count, duration, fullTime, things } from "./format.js";
import { link } from "./pages.js";
import { chip } from "./services.js";

export class TraceTable {
  constructor() {
    this.body = h("tbody", { onclick: (event) => this.click(event), onkeydown: (event) => this.key(event) });
    this.element = h("div", { class: "scroll traces", hidden: true }, h("table", {},
      h("caption", { class: "hidden-text" }, "Traces, the newest first. The arrow keys go from one to the next."),
      h("thead", {}, h("tr", {},
        h("th", { scope: "col" }, "Started"), h("th", { scope: "col" }, "Trace"), h("th", { scope: "col" }, "Services"),
        h("th", { scope: "col", class: "n" }, "Duration"), h("th", { scope: "col", class: "n" }, "Spans"), h("th", { scope: "col" }, "Remarks"))),
      this.body));
  }

  show(traces) {
    this.longest = Math.max(1, ...traces.map((trace) => trace.duration_ns));
    keyed(this.body, traces, (trace) => trace.trace_id, newRow, (row, trace) => this.fill(row, trace));
  }

  fill(row, trace) {
    const { time, name, services, bar, length, spans, remarks } = row.cells_;
    bar.style.setProperty("--share", trace.duration_ns / this.longest);
    const text = JSON.stringify(trace);
    if (row.shown_ === text) return;
    row.shown_ = text;
    setText(time, clock(trace.start));
    time.title = fullTime(trace.start);
    setText(name, trace.name || "(no name)");
    name.title = "Trace " + trace.trace_id;
    replace(services, trace.services.map((service) => chip(service)));
    setText(length, duration(trace.duration_ns));
    setText(spans, count(trace.spans));
    spans.dataset.unit = trace.spans === 1 ? "span" : "spans"; // For phones, where no heading says it.
    replace(remarks, remarksOf(trace));
  }

  // click follows the link of the row that was clicked, but not if text was selected.
  click(event) {
    if (event.target.closest("a") || event.button !== 0 || String(getSelection())) return;
    event.target.closest("tr")?.querySelector("a").click();
  }

  key(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = step && event.target.closest("tr")?.[step]?.querySelector("a");
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

function newRow(trace) {
  const cells = {
    time: h("time", {}), name: h("a", { href: link(["traces", trace.trace_id]) }), services: h("td", { class: "services" }),
    bar: h("span", { class: "bar" }), length: h("span", {}), spans: h("td", { class: "n spans" }), remarks: h("td", { class: "remarks" }),
  };
  const row = h("tr", {},
    h("td", { class: "started" }, cells.time), h("th", { scope: "row", class: "name" }, h("bdi", {}, cells.name)), cells.services,
    h("td", { class: "n length" }, cells.bar, cells.length), cells.spans, cells.remarks);
  row.cells_ = cells;
  return row;
}

// remarksOf says in words what is unusual about a trace.
function remarksOf(trace) {
  const tag = (kind, title, text) => h("span", { class: ["tag", kind], title }, text);
  return [
    trace.errors > 0 && tag("error", "Spans with an error", things(trace.errors, "error")),
    trace.late.map((reason) => tag("warn", "A span was made late, for this reason", "late: " + reason.replaceAll("_", " "))),
    trace.kept === "slow" && tag("warn", "It took longer than most traces of this name", "slow"),
    trace.root_missing && tag("muted", "Its first span has not ended yet, was dropped, or is of another program", "no root"),
    trace.left_out > 0 && tag("muted", "Spans that are not kept, because the trace is too large", things(trace.left_out, "span") + " left out"),
    trace.incomplete && tag("muted", "Spans came so fast that some of this trace may have been dropped", "incomplete"),
  ];
}
