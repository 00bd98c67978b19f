// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What is above the waterfall: which trace it is, and why it was slow.

import { withCopyButton } from "./copy_button.js";
import { h, replace, setText } from "./dom.js";
import { clock, count, duration, fullTime, percent, things } from "./format.js";
import { lastLink } from "./pages.js";
import { chip } from "./services.js";
import { oneLine, pathShares } from "./span_text.js";
import { icon } from "./trace_icons.js";

const names = { work: "work", wait: "waiting in mailboxes and queues", network: "network", gap: "nothing recorded" };

// Summary says in its element what the spans of a trace say together.
export class Summary {
  // say tells readers of the screen something.
  constructor(id, say) {
    this.title = h("h1", {});
    this.service = h("li", {});
    this.duration = h("strong", {});
    this.spans = h("li", {});
    this.start = h("time", {});
    this.sentence = h("p", { class: "trace-sentence" });
    this.shares = h("div", { class: "trace-shares" });
    this.element = h("header", { class: "trace-summary" },
      h("a", { class: "trace-back", href: lastLink("traces") }, icon("back"), "Traces"),
      this.title,
      h("ul", { class: "trace-facts" },
        this.service, h("li", {}, this.duration), this.spans, h("li", {}, this.start),
        h("li", { class: "trace-id" }, withCopyButton(id, "trace ID", say)),
        h("li", {}, h("a", { class: "download", href: `api/traces/${encodeURIComponent(id)}/otlp.json` }, icon("download"), "OTLP JSON"))),
      this.sentence, this.shares);
  }

  // update changes what is not as before. What has the focus stays.
  update(trace, tree) {
    const root = tree.nodes[0]?.span, name = oneLine(root?.name ?? "") || "(no name)";
    this.title.dataset.title = oneLine(name, 80);
    if (this.title.textContent !== name) replace(this.title, h("bdi", {}, name));
    replace(this.service, root && h("bdi", {}, chip(root.service)));
    setText(this.duration, duration(trace.duration_ns));
    setText(this.spans, things(tree.nodes.length, "span") + (trace.left_out > 0 ? `, ${count(trace.left_out)} left out` : "")
      + (trace.incomplete ? ", some may have been dropped" : "")
      + (root?.parent_missing ? ", the first is not here" : ""));
    setText(this.start, clock(trace.start));
    Object.assign(this.start, { dateTime: trace.start, title: fullTime(trace.start) });
    const { sentence = "", path = [] } = trace.explanation ?? {};
    replace(this.sentence, sentenceParts(oneLine(sentence, 2000)));
    this.sentence.hidden = !sentence;
    replace(this.shares, shares(path));
  }
}

// sentenceParts makes what a sentence has in brackets at its end small: what makes it
// unsure.
function sentenceParts(sentence) {
  const found = /^(.*\S) (\([^()]*\))(\.?)$/s.exec(sentence);
  return found ? [found[1], found[3], " ", h("small", {}, found[2])] : sentence;
}

// shares says what the time on the critical path went to.
function shares(path) {
  const parts = pathShares(path);
  if (parts.length === 0) return [];
  return [
    h("div", { class: "share-bar", "aria-hidden": "true" }, parts.map(({ what, share }) =>
      h("span", { class: `share share-${what}`, style: { "flex-grow": String(share) } }))),
    h("ul", { "aria-label": "The time on the critical path" }, parts.map(({ what, ns, share }) =>
      h("li", {}, h("span", { class: `key key-${what}` }), h("strong", {}, percent(share)), ` ${names[what]} `, h("span", { class: "muted" }, duration(ns))))),
  ];
}
