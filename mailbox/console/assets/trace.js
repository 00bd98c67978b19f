// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The page of one trace: why it was slow, its waterfall, and the details of a span.

import { getJSON, pause, visible } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { link } from "./pages.js";
import { SpanDetail } from "./span_detail.js";
import { Summary } from "./trace_summary.js";
import { Tools } from "./trace_tools.js";
import { makeTree } from "./trace_tree.js";
import { Waterfall } from "./waterfall.js";

const refresh = 2000; // milliseconds between two looks at a trace that is still coming in
const atRest = 5; // so many looks that find nothing new are the last

// show fills root with the page of a trace, and selects the span that the address has.
export async function show(root, { trace: id, span }, signal) {
  const page = new TracePage(root, id, signal);
  await page.load();
  page.follow();
  requestAnimationFrame(() => page.open(span)); // Until then, the page is scrolled to its top.
  return (params) => params.trace === id && page.open(params.span);
}

class TracePage {
  constructor(root, id, signal) {
    Object.assign(this, { id, signal, trace: null, tree: null, wanted: "" });
    this.status = h("p", { class: "hidden-text", role: "status" });
    this.summary = new Summary(id, (text) => this.say(text));
    this.detail = new SpanDetail({
      go: (key) => this.go(key), say: (text) => this.say(text), close: () => this.waterfall.close(), signal,
    });
    this.waterfall = new Waterfall({
      chosen: (node, toDetails) => this.chosen(node, toDetails), zoomed: (zoomed, range) => this.tools.zoomed(zoomed, range), signal,
    });
    this.tools = new Tools(this.waterfall, (text) => this.say(text));
    this.parts = h("div", { class: "trace-parts" }, h("div", { class: "trace-main" }, this.tools.element, this.waterfall.element), this.detail.element);
    replace(root, h("div", { class: "trace" }, this.summary.element, this.parts, this.status));
    followHeader(this.parts, signal);
  }

  async load() {
    const trace = await getJSON(`api/traces/${encodeURIComponent(this.id)}`, { signal: this.signal });
    const signature = JSON.stringify([trace.spans.length, trace.duration_ns, trace.left_out, trace.explanation]);
    if (signature === this.signature) return false;
    const path = trace.explanation?.path ?? [];
    Object.assign(this, { signature, trace, tree: makeTree(trace.spans, path) });
    this.summary.update(trace, this.tree);
    this.tools.update(this.tree);
    this.waterfall.update(this.tree, trace.duration_ns);
    this.tools.refind();
    if (this.wanted && this.tree.byKey.has(this.wanted)) this.open(this.wanted);
    return true;
  }

  // follow looks for more spans until there were none for a while, and again each time that
  // a person comes back to the page.
  async follow() {
    while (!this.signal.aborted) {
      for (let same = 0; same < atRest && !this.signal.aborted;) {
        await visible(this.signal);
        const begun = performance.now();
        try {
          same = await this.load() ? 0 : same + 1;
        } catch {
          same++; // The trace is no longer kept, or the program has ended: what is shown stays.
        }
        await pause(Math.max(refresh, 5 * (performance.now() - begun)), this.signal);
      }
      await cameBack(this.signal);
    }
  }

  // open selects a span by its ID, or none. A span that is not there yet is selected when it
  // comes in.
  open(span) {
    this.wanted = "";
    if (!span) this.waterfall.close();
    else if (span !== this.waterfall.selected && !this.go(span)) {
      this.wanted = span;
      this.say("The span of the address is not in this trace, or not yet.");
    }
    return true;
  }

  // go selects another span of this trace. It returns false if there is none of that key.
  go(key) {
    const node = this.tree.byKey.get(key);
    if (!node) return false;
    this.waterfall.show(node);
    this.chosen(node, false);
    return true;
  }

  chosen(node, toDetails) {
    const parts = ["traces", this.id, ...(node ? [node.span.span_id] : [])];
    history.replaceState(history.state, "", link(parts));
    this.parts.classList.toggle("with-detail", Boolean(node));
    if (!node) {
      const hadFocus = this.detail.element.contains(document.activeElement);
      this.detail.hide();
      if (hadFocus) this.waterfall.focus(this.waterfall.numbers.get(this.waterfall.active));
      return;
    }
    this.detail.show(node, this.trace);
    this.waterfall.keepInView();
    if (toDetails) this.detail.focus();
  }

  say(text) { setText(this.status, text); }
}

// cameBack returns when somebody sees the page again who did not, or signal aborts.
function cameBack(signal) {
  return new Promise((resolve) => {
    const check = () => {
      if (!signal.aborted && document.visibilityState !== "visible") return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
    if (signal.aborted) check();
  });
}

// followHeader tells the styles how high the header of the console is, below which the head
// of the waterfall stays. On phones the header scrolls away with the page.
function followHeader(element, signal) {
  const header = document.querySelector("body > header");
  if (!header) return;
  const sizes = new ResizeObserver(() => element.style.setProperty("--top", getComputedStyle(header).position === "sticky" ? `${header.offsetHeight}px` : "0px"));
  sizes.observe(header);
  signal.addEventListener("abort", () => sizes.disconnect());
}
