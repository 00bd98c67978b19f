// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The page of sampling: how many recipients of fan-outs are sampled, and what that saves.

import { every, getJSON } from "./api.js";
import { configSection } from "./config.js";
import { h, keyed, replace, setText } from "./dom.js";
import { count, number, things } from "./format.js";
import { groupSection } from "./sampling_group.js";
import { oneLine } from "./span_text.js";

const refresh = 2000;

export async function show(root, params, signal) {
  const trouble = h("p", { role: "status", class: "warn" });
  const said = h("p", { class: "muted" });
  const totals = h("div", { class: "tiles" });
  const totalsText = h("p", { class: "muted" });
  const groups = h("div", {});
  const kinds = h("ul", { class: "facts" });
  const limits = h("section", { "aria-label": "Limits of kinds", hidden: true }, h("h2", {}, "Limits of kinds"), kinds);
  replace(root, h("h1", {}, "Sampling"), totals, totalsText, trouble, said, groups, limits);

  const { features } = await getJSON("api/about", { signal });
  const sections = new Map();
  const config = configSection({ features, signal, changed: () => read().catch(failed) });
  root.append(config.element);

  async function read() {
    const sampling = await getJSON("api/sampling", { signal });
    setText(trouble, "");
    setText(said, saidOf(sampling, features));
    drawTotals(totals, totalsText, sampling.totals);
    keyed(groups, sampling.groups, (group) => group.name, (group) => {
      const section = groupSection({ name: group.name, features, signal, read: config.read, changed: () => read().catch(failed) });
      sections.set(group.name, section);
      return section.element;
    }, (_, group) => sections.get(group.name).draw(group, sampling.broadcasts.filter((fanout) => fanout.group === group.name), sampling.kinds.length > 0));
    limits.hidden = sampling.kinds.length === 0;
    keyed(kinds, sampling.kinds, (kind) => kind.name, () => h("li", {}), (li, kind) => setText(li, kindText(kind)));
  }
  const failed = (error) => !signal.aborted && setText(trouble, error.message + " What is shown is from before.");
  every(refresh, signal, read, failed);
}

function saidOf({ groups, left_out: leftOut }, { changes, config }) {
  return [
    groups.length === 0 && "No group has been seen yet. A fan-out shows here when its sender's trace is sampled.",
    leftOut > 0 && `${count(leftOut)} groups and kinds are left out, because there are too many.`,
    config && !changes && "Nothing can be changed here: the console was made without console.Config.AllowChanges.",
  ].filter(Boolean).join(" ");
}

function drawTotals(tiles, text, totals) {
  const ratio = totals.spans > 0 ? totals.naive / totals.spans : undefined;
  const rows = [
    ["spans", count(totals.spans), "spans were made"],
    ["naive", (totals.naive > totals.spans ? "~" : "") + count(totals.naive), "spans, had every recipient been sampled"],
    ["ratio", ratio === undefined ? "–" : number(Number(ratio.toPrecision(3))) + "\u00a0×", "as many without sampling"],
    ["sampled", `${count(totals.sampled)} of ${count(totals.recipients)}`, `recipients sampled, in ${things(totals.broadcasts, "fan-out")}`],
  ];
  keyed(tiles, rows, ([key]) => key, () => h("div", { class: "tile" }, h("strong", {}), h("span", {})), (tile, [, figure, what]) => {
    setText(tile.children[0], figure);
    setText(tile.children[1], what);
  });
  setText(text, "These count all spans that have come to this console. How many there would have been is an estimate: the sum of the weights of these spans.");
}

function kindText(kind) {
  const rates = [
    kind.spans_per_second > 0 && `at most ${number(kind.spans_per_second)} recipients sampled per second on average, in all groups together`,
    kind.max_spans_per_second > 0 && `nobody while more than ${number(kind.max_spans_per_second)} would be (the last resort)`,
    kind.shed_fanouts > 0 && `${things(kind.shed_fanouts, "fan-out")} shed, with ${things(kind.shed_spans, "recipient")} that would have been sampled`,
  ].filter(Boolean);
  return `Kind ${oneLine(kind.name)}: ${rates.join("; ")}.`;
}
