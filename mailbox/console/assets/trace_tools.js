// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The buttons above the waterfall, its legend, and the search.

import { h, replace, setText } from "./dom.js";
import { count, duration, things } from "./format.js";
import { chip } from "./services.js";
import { icon } from "./trace_icons.js";
import { help } from "./waterfall_keys.js";

const mostServices = 24; // in the legend

// Tools act on a waterfall. say tells readers of the screen something.
export class Tools {
  constructor(waterfall, say) {
    Object.assign(this, { waterfall, say, at: -1, count: 0 });
    this.field = h("input", { type: "search", placeholder: "Find a span", "aria-label": "Find a span by name, service, process or ID", maxlength: 200,
      oninput: () => this.find(), onkeydown: (event) => this.key(event) });
    this.results = h("span", { class: "muted find-results" });
    this.steps = ["Previous", "Next"].map((name, i) => h("button", { type: "button", class: "plain", disabled: true, title: `${name} span found`,
      "aria-label": `${name} span found`, onclick: () => this.step(2 * i - 1) }, icon("chevron")));
    this.found = h("span", { class: "tool-group", hidden: true }, this.results, this.steps);
    this.failed = walkButton("error", "failed", () => this.walk(({ error }) => error));
    this.late = walkButton("warn", "late", () => this.walk(({ late }) => late));
    this.legend = h("div", { class: "legend" });
    this.whole = button("Whole trace", () => waterfall.setRange(waterfall.all), { disabled: true });
    this.element = h("div", { class: "trace-tools" },
      h("div", { class: "tool-bar" },
        h("span", { class: "tool-group", role: "search" }, this.field, this.found),
        h("span", { class: "tool-group" }, this.failed.element, this.late.element),
        h("span", { class: "tool-group tool-zoom", role: "group", "aria-label": "Zoom" },
          button("−", () => waterfall.zoomBy(2), { "aria-label": "Zoom out" }), button("+", () => waterfall.zoomBy(0.5), { "aria-label": "Zoom in" }), this.whole),
        h("span", { class: "tool-group" },
          button("Open all", () => waterfall.openAll(true)), button("Close all", () => waterfall.openAll(false)), keysHelp())),
      this.legend);
  }

  // update shows what there is in another tree.
  update(tree) {
    this.failed.show(tree.nodes.filter(({ span }) => span.error).length);
    this.late.show(tree.nodes.filter(({ span }) => span.late).length);
    this.fillLegend(tree);
  }

  // refind finds again in another tree, and stays where it was.
  refind() {
    if (!this.field.value.trim()) return;
    this.nodes = this.waterfall.find(this.field.value);
    this.at = Math.min(this.at, this.nodes.length - 1);
  }

  fillLegend(tree) {
    const services = new Map();
    for (const { span } of tree.nodes) services.set(span.service, (services.get(span.service) ?? 0) + 1);
    const some = (has) => tree.nodes.some(({ span }) => has(span));
    replace(this.legend, h("ul", { "aria-label": "Legend" },
      [...services].slice(0, mostServices).map(([service, n]) => h("li", {}, h("bdi", {}, chip(service)), h("span", { class: "muted" }, ` ${count(n)}`))),
      services.size > mostServices && h("li", {}, `and ${things(services.size - mostServices, "more service", "more services")}`),
      some((span) => span.wait_ns > 0) && h("li", {}, h("span", { class: "key key-wait" }), "waited in a mailbox or queue"),
      some((span) => span.network_ns > 0) && h("li", {}, h("span", { class: "key key-network" }), "on the network"),
      tree.steps.length > 0 && h("li", {}, h("span", { class: "key key-path" }), "critical path"),
      some((span) => span.weight > 1) && h("li", {}, h("span", { class: "mark mark-weight" }, "× n"), "stands for n recipients"),
      some((span) => span.weight === 0) && h("li", {}, h("span", { class: "mark mark-uncounted" }, "uncounted"), "stands for nobody")));
  }

  // zoomed is told whether only a part of the trace is shown, and which if a person chose it.
  zoomed(zoomed, range) {
    this.whole.disabled = !zoomed;
    if (range) this.say(`From ${duration(range.from)} to ${duration(range.to)} are shown.`);
  }

  find() {
    const text = this.field.value;
    this.nodes = this.waterfall.find(text);
    const n = this.nodes.length;
    this.at = -1;
    for (const step of this.steps) step.disabled = n === 0;
    this.found.hidden = !text.trim();
    setText(this.results, text.trim() ? (n === 0 ? "none" : count(n)) : "");
  }

  key(event) {
    if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && this.field.value) this.field.value = "", this.find();
    else return;
    event.preventDefault();
  }

  // step goes to the next span found, or the one before, and round at the end.
  step(by) {
    if (!this.nodes?.length) return;
    const n = this.nodes.length;
    this.at = this.at < 0 && by < 0 ? n - 1 : (this.at + by + n) % n;
    this.goTo(this.nodes[this.at]);
    setText(this.results, `${count(this.at + 1)} of ${count(n)}`);
    this.say(`${count(this.at + 1)} of ${count(n)} found: ${this.waterfall.activeLabel()}`);
  }

  // walk goes to the next span below the active row of which is says that it is one, and
  // from the last to the first.
  walk(is) {
    const { tree, active } = this.waterfall, nodes = tree.nodes.filter(({ span }) => is(span));
    const at = tree.byKey.get(active)?.index ?? -1;
    this.goTo(nodes.find(({ index }) => index > at) ?? nodes[0]);
    this.say(this.waterfall.activeLabel());
  }

  goTo(node) { this.waterfall.reveal(node); }
}

// walkButton is not there while there is nothing to walk to.
function walkButton(kind, word, onclick) {
  const text = h("span", {}), element = h("button", { type: "button", class: kind, hidden: true, title: `Go to the next ${word} span`, onclick }, icon(word), text);
  return { element, show: (n) => {
    element.hidden = n === 0;
    setText(text, `${count(n)} ${word}`);
  } };
}

function button(text, onclick, props) { return h("button", { type: "button", onclick, ...props }, text); }

function keysHelp() {
  return h("details", { class: "keys" }, h("summary", {}, "Keys"), h("dl", { class: "panel" },
    help.map(([names, text]) => [h("dt", {}, names.map((name) => [h("kbd", {}, name), " "])), h("dd", {}, text)])));
}
