// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The list of the last traces.
import { getJSON } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { follow } from "./follow.js";
import { things } from "./format.js";
import { setQuery } from "./pages.js";
import { TraceFilters } from "./trace_filters.js";
import { TraceTable } from "./trace_table.js";

const most = 500; // that the program lists

export async function show(root, params, signal) {
  const page = new TracesPage(root, params.query, signal);
  page.start();
  return (next) => page.changed(next.query);
}

class TracesPage {
  constructor(root, query, signal) {
    this.signal = signal;
    this.paused = false;
    this.filters = new TraceFilters(query, () => {
      setQuery(this.filters.query());
      this.start();
    });
    this.table = new TraceTable();
    this.state = h("span", { class: "state", role: "status" });
    this.pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.togglePause() }, "Pause");
    this.empty = h("div", { class: "panel empty", hidden: true });
    this.found = h("p", { class: "muted" });
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.filters.set("limit", String(most)) }, "Show up to " + most);
    replace(root,
      h("div", { class: "page-head" }, h("h1", {}, "Traces"), this.state, this.pause),
      this.filters.element, this.table.element, this.empty,
      h("div", { class: "list-foot" }, this.found, this.more));
  }

  // start follows the list that the filters ask for.
  start() {
    this.controller?.abort();
    if (this.paused || this.signal.aborted) return;
    this.controller = new AbortController();
    follow({
      path: "api/traces", query: this.filters.query(), name: "traces",
      signal: AbortSignal.any([this.signal, this.controller.signal]),
      show: (list) => this.list(list),
      state: (state, text) => this.say(state, text),
    });
  }

  // changed takes the query of a hash that has changed.
  changed(query) {
    this.filters.read(query);
    this.start();
  }

  togglePause() {
    this.paused = !this.paused;
    this.pause.setAttribute("aria-pressed", String(this.paused));
    setText(this.pause, this.paused ? "Go on" : "Pause");
    if (this.paused) this.say("paused");
    this.start();
  }

  say(state, text) {
    this.state.dataset.state = state;
    setText(this.state, { live: "Live", asking: "Every 2 s", paused: "Paused", lost: "Not connected", refused: "Refused" }[state]);
    this.filters.problem(state === "refused" || state === "lost" ? text : "");
  }

  list({ traces, more }) {
    this.filters.problem("");
    this.filters.offer(traces);
    this.table.show(traces);
    this.table.element.hidden = traces.length === 0;
    setText(this.found, traces.length === 0 ? "" : (more ? "The newest " : "") + things(traces.length, "trace"));
    this.more.hidden = !more || traces.length >= most;
    this.showEmpty(traces.length === 0);
  }

  // showEmpty says why there is nothing, and what to do about it.
  async showEmpty(isEmpty) {
    if (!isEmpty || this.filters.any()) {
      this.empty.hidden = !isEmpty;
      if (isEmpty) this.showNoMatch();
      return;
    }
    if (!this.empty.hidden && this.empty.dataset.why === "none") return;
    const about = await getJSON("api/about", { signal: this.signal }).catch(() => null);
    if (!about || !this.table.element.hidden) return;
    this.empty.dataset.why = "none";
    this.empty.hidden = false;
    replace(this.empty, h("h2", {}, "No traces yet"),
      about.no_traces ? h("p", { class: "as-is" }, about.no_traces) : howToGetSome());
  }

  showNoMatch() {
    this.empty.dataset.why = "filters";
    replace(this.empty, h("h2", {}, "No trace matches"),
      h("p", {}, "The traces that are kept now are others. New ones show here as they come."),
      h("p", {}, h("button", { type: "button", onclick: () => this.filters.clear() }, "Show all traces")));
  }
}

function howToGetSome() {
  return [
    h("p", {}, "A span comes here when it has ended. The console has to be a span processor of the program's tracer provider:"),
    h("pre", {}, "tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))\notel.SetTracerProvider(tracers)"),
    h("p", {}, "Processes and channels continue traces, and start none: that is done by what receives requests, such as otelhttp and otelgrpc, "
      + "or by a span of your own. What the sampler drops does not come here."),
  ];
}
