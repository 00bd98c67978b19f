// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the page of sampling shows of one group.

import { curveEditor } from "./curve_editor.js";
import { curvePlot, methodOf, methods, shareText } from "./curve.js";
import { h, keyed, replace, set, setText } from "./dom.js";
import { ago, clock, count, fullTime, number, things } from "./format.js";
import { link } from "./pages.js";
import { oneLine } from "./span_text.js";

const rowsShown = 50;

// groupSection makes the section of a group. read returns the configuration, and changed is
// called when it was changed. It returns {element, draw(group, fanouts)}.
export function groupSection({ name, features, signal, read, changed }) {
  const title = oneLine(name) || "without a name";
  const plot = curvePlot({ label: "Sampling of " + title, signal });
  const facts = h("ul", { class: "facts" });
  const form = h("div", {});
  const edit = h("button", { type: "button", onclick: () => open().catch((error) => {
    if (!signal.aborted) replace(form, h("p", { class: "error", role: "alert" }, error.message));
  }) }, "Change the sampling of this group");
  const table = fanoutTable(title);
  const element = h("section", { class: "panel group", "aria-label": "Group " + title },
    h("h2", {}, title),
    h("div", { class: "beside" }, plot.element, h("div", {}, facts, h("p", {}, edit), form, table.element)));
  let group;
  let fanouts = [];
  let preview;

  async function open() {
    const base = await read();
    const settings = base.config.groups?.[name] ?? base.config.default_group;
    edit.hidden = true;
    replace(form, curveEditor({
      group: name, base, settings, signal,
      preview(next) {
        preview = next.curve.length > 0 && next.curve.every(drawable) ? next : undefined;
        plot.draw(group.settings, fanouts, preview);
      },
      done(saved) {
        preview = undefined;
        replace(form);
        edit.hidden = false;
        edit.focus();
        if (saved) changed();
        plot.draw(group.settings, fanouts);
      },
    }));
    form.querySelector("input")?.focus();
  }

  return {
    element,
    // limited says that kinds have limits, which hold for all groups.
    draw(next, list, limited) {
      const same = JSON.stringify([next, list]) === JSON.stringify([group, fanouts]);
      [group, fanouts] = [next, list];
      if (!same) plot.draw(group.settings, fanouts, preview);
      edit.hidden = !features.changes || group.from === "code" || group.from === "" || form.firstChild !== null;
      keyed(facts, factsOf(group, limited, fanouts.some(({ depth }) => depth > 0)), ([key]) => key, () => h("li", {}), (li, [, text, alarm]) => {
        setText(li, text);
        set(li, "class", alarm);
      });
      table.draw(fanouts);
    },
  };
}

const drawable = ({ size, probability }) => size >= 1 && probability > 0 && probability <= 1;

// factsOf returns what is said of a group, each with a key and perhaps a class. limited
// says that kinds have limits, and parts that fan-outs may be parts of larger ones.
export function factsOf(group, limited, parts) {
  const { settings } = group;
  const facts = [["from", origins[group.from]]];
  if (!group.known && settings) facts.push(["known", "The program has no group of this name, at least until now.", "warn"]);
  if (!settings) return facts;
  facts.push(["curve", curveText(settings.curve)]);
  facts.push(["cap", settings.max_spans > 0 ? `At most ${things(settings.max_spans, "recipient is", "recipients are")} sampled in one fan-out.` : "No limit for one fan-out."]);
  facts.push(["rate", settings.spans_per_second > 0
    ? `${number(settings.spans_per_second)} recipients are sampled per second on average. Where the curve would sample more, fewer are, and the points are below the curve.`
    : "No limit per second."]);
  if (parts) facts.push(["parts", "Fan-outs behind a relay, or on one of several nodes, are parts of larger ones. The curve holds for the larger one as a whole, so the points of its parts are below the curve."]);
  if (limited) facts.push(["kinds", "The limits of kinds, below, hold for their processes here too, and may put points below the curve."]);
  if (settings.max_spans_per_second > 0) facts.push(["last", `Last resort: while more than ${number(settings.max_spans_per_second)} recipients would be sampled per second, fan-outs sample nobody.`]);
  if (group.shed_fanouts > 0) facts.push(["shed", `The last resort has shed ${things(group.shed_fanouts, "fan-out")}, which would have sampled ${things(group.shed_spans, "recipient")}.`, "warn"]);
  else if (settings.max_spans_per_second > 0) facts.push(["shed", "The last resort has shed nothing."]);
  return facts;
}

function curveText(curve) {
  if (curve.length === 1) return `The curve: ${shareText(curve[0].probability)} of the recipients are sampled, whatever their number is.`;
  return `The curve: ${curve.map((p) => `${shareText(p.probability)} of ${count(p.size)}`).join(", ")} recipients are sampled.`;
}

const origins = {
  group: "The group has settings of its own in the configuration.",
  default: "The group follows the default of all groups in the configuration.",
  code: "The group was given its sampling in code (WithSampling). The configuration does not change that.",
  "": "How this group is sampled is not known here: the console's control has no group of this name.",
};

function fanoutTable(title) {
  const body = h("tbody", {});
  const heading = (text, unit, numeric = true) => h("th", { scope: "col", class: numeric && "n" }, text, unit && h("span", { class: "unit" }, unit));
  const none = h("p", { class: "muted" }, "No fan-out of this group has been seen yet.");
  const scroll = h("div", { class: "scroll low", tabindex: "0", role: "region", "aria-label": "Fan-outs of " + title }, h("table", {},
    h("thead", {}, h("tr", {}, heading("Fan-out", "trace", false), heading("Size", "recipients"), heading("Sampled", "recipients"), heading("Share", "sampled"),
      heading("Refused", "recipients"), heading("Method", "", false))),
    body));
  return {
    element: h("div", {}, none, scroll),
    draw(fanouts) {
      none.hidden = fanouts.length > 0;
      scroll.hidden = fanouts.length === 0;
      keyed(body, fanouts.slice(0, rowsShown), (f) => f.trace_id + f.span_id, makeRow, (tr, f) => setText(tr.querySelector(".ago"), ago(f.start)));
    },
  };
}

function makeRow(f) {
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: link(["traces", f.trace_id, f.span_id]), title: fullTime(f.start) }, clock(f.start)), " ", h("span", { class: "ago muted" })),
    h("td", { class: "n" }, count(f.size)), h("td", { class: "n" }, count(f.sampled)),
    h("td", { class: "n" }, f.size > 0 ? shareText(f.sampled / f.size) : "–"),
    h("td", { class: ["n", f.refused > 0 && "warn"] }, count(f.refused)),
    h("td", { class: f.shed && "error", title: methods[methodOf(f)].text }, methods[methodOf(f)].name));
}
