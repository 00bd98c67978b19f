// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Everything of one span, beside the waterfall.

import { getJSON } from "./api.js";
import { withCopyButton } from "./copy_button.js";
import { h, replace } from "./dom.js";
import { clock, duration, fullTime, percent, things } from "./format.js";
import { link } from "./pages.js";
import { chip } from "./services.js";
import { lateText, oneLine, recipients, worked } from "./span_text.js";
import { icon } from "./trace_icons.js";

const long = 300; // characters from which a value gets a box of its own

// SpanDetail shows a span in its element.
export class SpanDetail {
  // go is called with the key of another span of the same trace, say with what readers of
  // the screen should hear, and close if a person has seen enough.
  constructor({ go, say, close, signal }) {
    Object.assign(this, { go, say, close, signal, shown: "", request: null });
    this.title = h("h2", { class: "detail-title", tabindex: -1 });
    this.body = h("div", { class: "detail-body" });
    this.element = h("aside", { class: "panel trace-detail", "aria-label": "Details of the span", hidden: true },
      h("div", { class: "detail-head" }, this.title,
        h("button", { type: "button", class: "plain", "aria-label": "Close the details", onclick: () => close() }, icon("close"))),
      this.body);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      close();
    }, { signal });
  }

  hide() {
    this.request?.abort();
    this.shown = "";
    this.element.hidden = true;
  }

  focus() { this.title.focus({ preventScroll: true }); }

  // show shows a node of the tree of a trace. What the waterfall knows of it is there at
  // once, and the rest when it comes.
  async show(node, trace) {
    const shown = `${trace.trace_id} ${node.key}`;
    if (shown === this.shown) return;
    this.request?.abort();
    this.request = new AbortController();
    this.shown = shown;
    this.element.hidden = false;
    this.element.scrollTop = 0;
    replace(this.title, h("bdi", {}, node.span.name || "(no name)"));
    const rest = h("div", {}, h("p", { class: "muted" }, "Loading…"));
    replace(this.body, this.facts(node, trace), rest);
    try {
      const path = `api/traces/${trace.trace_id}/spans/${node.span.span_id}`;
      const all = await getJSON(path, { signal: AbortSignal.any([this.signal, this.request.signal]) });
      if (this.shown !== shown) return;
      replace(this.body, problem(all, node.span), this.facts(node, trace, all), this.sections(all, trace));
    } catch (error) {
      if (this.shown === shown && !this.signal.aborted) replace(rest, h("p", { class: "error", role: "alert" }, error.message));
    }
  }

  facts(node, trace, all) {
    const { span } = node, start = Date.parse(trace.start) + span.from_ns / 1e6;
    return h("dl", { class: "facts" },
      fact("Service", h("bdi", {}, chip(span.service))),
      span.process && fact("Process", processOf(span, all)),
      span.kind && fact("Kind", span.kind),
      span.network_ns > 0 && fact("On the network", duration(span.network_ns)),
      !span.unhandled && span.wait_ns > 0 && fact("Waited", duration(span.wait_ns)),
      fact(span.unhandled ? "Never handled" : capital(worked(span)), span.unhandled && "after ", duration(span.duration_ns)),
      fact("Began", `${duration(span.from_ns)} after the start, at `, h("time", { title: fullTime(new Date(start)) }, clock(start))),
      pathFact(node, trace),
      span.weight != null && fact("Stands for", span.weight === 0 ? "nobody: uncounted" : `${recipients(span.weight)} ${span.weight === 1 ? "recipient" : "recipients"}`),
      span.late && fact("Late span", lateText(span.late)),
      span.restarted && fact("Restarted", "its process had restarted directly before"),
      span.skew_ns && fact("Clock", `its own times were corrected by ${duration(span.skew_ns)}`),
      node.parent && fact("Parent", this.spanLink(trace.trace_id, node.parent.span.span_id, oneLine(node.parent.span.name, 80), node.parent.key)),
      !node.parent && span.parent_id && fact("Parent", h("code", {}, span.parent_id), " (not kept)"),
      node.below > 0 && fact("Below it", things(node.below, "span")),
      all?.trace_state && fact("Trace state", h("bdi", {}, all.trace_state)),
      all?.scope?.name && fact("Scope", h("bdi", {}, [all.scope.name, all.scope.version].filter(Boolean).join(" "))),
      fact("Span ID", withCopyButton(span.span_id, "span ID", this.say)));
  }

  sections(all, trace) {
    return [
      section("Events", all.events, (events) => h("ol", { class: "events" }, events.map((event) => eventItem(event)))),
      section("Links", all.links, (links) => h("ul", { class: "links" }, links.map((l) => this.linkItem(l, trace)))),
      section("Attributes", all.attributes, pairs),
      section("Resource", all.resource, pairs, true),
      section("Attributes of the scope", all.scope?.attributes, pairs, true),
      dropped(all.dropped),
      all.left_out > 0 && h("p", { class: "muted" }, `${things(all.left_out, "attribute, event or link", "attributes, events or links")} too many to be shown here.`),
    ];
  }

  linkItem(to, trace) {
    const what = to.span_id ? `span ${to.span_id}` : "its trace";
    const here = to.trace_id === trace.trace_id;
    return h("li", {},
      to.reason && h("span", { class: "tag" }, oneLine(to.reason, 40)), to.reason && " ",
      here ? this.spanLink(to.trace_id, to.span_id, `${what} of this trace`, to.span_id)
        : to.known ? h("a", { href: link(["traces", to.trace_id, to.span_id]) }, `${what} of trace ${to.trace_id}`)
          : h("span", {}, `${what} of trace ${to.trace_id}`, h("span", { class: "muted" }, " (not kept here)")),
      to.attributes?.length > 0 && pairs(to.attributes));
  }

  // spanLink leads to another span of the same trace.
  spanLink(trace, span, text, key) {
    return h("a", { href: link(["traces", trace, span]), onclick: (event) => {
      if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (this.go(key)) event.preventDefault();
    } }, h("bdi", {}, text || "(no name)"));
  }
}

function capital(word) { return word[0].toUpperCase() + word.slice(1); }

function fact(name, ...value) { return [h("dt", {}, name), h("dd", {}, value)]; }

function pathFact(node, { explanation, duration_ns: all }) {
  const steps = (explanation?.path ?? []).filter((step) => step.span_id === node.key);
  const sum = steps.reduce((ns, step) => ns + Math.max(step.to_ns - step.from_ns, 0), 0);
  return sum > 0 && fact("On the critical path", `${duration(sum)}, ${percent(sum / Math.max(all, 1))} of the trace`);
}

// processOf leads to the page of the process, once its kind and ID are known.
function processOf(span, all) {
  const name = h("bdi", {}, span.process);
  return all?.process_kind && all.process_id ? h("a", { href: link(["processes", all.process_kind, all.process_id]) }, name) : name;
}

// problem says that a span failed, and why if it says so.
function problem({ status }, span) {
  if (!span.error) return null;
  return h("div", { class: "detail-problem" }, icon("failed"), h("div", {}, h("strong", {}, "Failed"),
    status?.description && h("div", { class: "value" }, String(status.description))));
}

function section(name, list, show, closed) {
  if (!list || list.length === 0) return null;
  return h("details", { class: "section", open: !closed }, h("summary", {}, name, h("span", { class: "muted" }, ` ${list.length}`)), show(list));
}

function pairs(list) {
  return h("dl", { class: "pairs" }, list.map(([key, value]) => [h("dt", {}, h("bdi", {}, key)), h("dd", {}, valueOf(value))]));
}

// valueOf shows a value as it is. One that is long or has several lines, such as a stack,
// gets a box that scrolls.
function valueOf(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === "") return h("span", { class: "muted" }, "empty");
  if (text.length <= long && !text.includes("\n")) return h("span", { class: "value" }, text);
  return h("pre", { class: ["value", text.includes("\n") && "lines"], tabindex: 0 }, text);
}

function eventItem({ at_ns: at, name, attributes }) {
  return h("li", {}, h("div", {}, h("span", { class: "event-at" }, duration(at)), " ", h("bdi", { class: "value" }, name || "(no name)")),
    attributes?.length > 0 && pairs(attributes));
}

function dropped(counts) {
  const parts = Object.entries(counts ?? {}).filter(([, n]) => n > 0).map(([what, n]) => things(n, what.slice(0, -1)));
  return parts.length > 0 && h("p", { class: "muted" }, `Dropped by the limits of the span: ${parts.join(", ")}.`);
}
