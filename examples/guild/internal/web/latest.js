// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the last traces say, in short. The console says more.
import { $, duration, every, h, json, link, sentence } from "./dom.js";

const looked = 20; // traces among which the slowest is shown

export function begin() { every(2000, look); }

async function look() {
  const { traces } = await json(`console/api/traces?limit=${looked}`);
  const { totals } = await json("console/api/about");
  $("counts").textContent = `${totals.seen.toLocaleString()} spans of ${totals.traces.toLocaleString()} traces`;
  if (traces.length === 0) return;
  const slowest = traces.reduce((a, b) => (b.duration_ns > a.duration_ns ? b : a));
  const { explanation } = await json(`console/api/traces/${slowest.trace_id}`);
  const failed = traces.filter((t) => t.errors > 0);
  const late = traces.filter((t) => t.late?.length > 0);
  const facts = [
    failed.length > 0 && link("#/traces?failed=true", `${failed.length} with an error`),
    late.length > 0 && link("#/traces?late=any", `${late.length} with late spans`),
  ].filter(Boolean);
  $("slowest").replaceChildren(
    h("p", {}, "The slowest of the last ", String(traces.length), " traces took ",
      link(`#/traces/${slowest.trace_id}`, duration(slowest.duration_ns)), ":"),
    h("p", { class: "sentence" }, sentence(explanation.sentence)),
    facts.length > 0 ? h("p", { class: "muted" }, "Of these traces: ", ...facts.flatMap((f, i) => (i ? [", ", f] : [f]))) : "");
}
