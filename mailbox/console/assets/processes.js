// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The page of all processes, or of those of one kind: a table of the kinds, and below it
// what the processes did with their minutes.

import { every, getJSON } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { count } from "./format.js";
import { History, snapshot } from "./kinds.js";
import { kindsTable } from "./kinds_table.js";
import { Metrics } from "./metrics.js";
import { link } from "./pages.js";
import { show as showProcess } from "./process.js";
import { oneLine } from "./span_text.js";
import { timingsSection } from "./timings_section.js";

const refresh = 2000;

export async function show(root, params, signal) {
  // An ID may be empty, which no path has a place for.
  if (params.query.get("unnamed") === "true") return showProcess(root, params, signal);
  const { kind } = params;
  const kinds = h("div", {});
  const timings = h("div", {});
  replace(root,
    kind !== undefined && h("nav", { "aria-label": "Breadcrumbs", class: "crumbs" }, h("a", { href: link(["processes"]) }, "Processes"), " › ", oneLine(kind)),
    h("h1", {}, kind === undefined ? "Processes" : "Processes: " + oneLine(kind)), kinds, timings);

  const about = await getJSON("api/about", { signal });
  const section = timingsSection({ kind, query: params.query, features: about.features, signal });
  replace(timings, section.element);
  showKinds(kinds, { kind, query: params.query, signal, told: section.kinds });
  return undefined;
}

// showKinds shows the metrics in root. told is called with the names of all kinds.
function showKinds(root, { kind, query, signal, told }) {
  const history = new History();
  const trouble = h("p", { role: "status", class: "warn" });
  const said = h("p", { class: "muted" });
  const problem = h("p", { class: "warn" });
  const workers = h("p", {});
  const table = kindsTable({ query, history });
  let drawn = false;
  replace(root, h("p", { class: "muted" }, "Loading…"), trouble);

  function draw(metrics) {
    setText(trouble, "");
    if (!metrics.attached) {
      drawn = false;
      replace(root, howToAttach(), trouble);
      return;
    }
    history.add(snapshot(metrics));
    const rows = history.rows();
    told(rows.map((row) => row.kind));
    if (!drawn) replace(root, workers, table.element, trouble, said, table.notes, problem);
    drawn = true;
    table.update(kind === undefined ? rows : rows.filter((row) => row.kind === kind));
    setText(workers, kind === undefined ? workersText(metrics) : ""); // They are of the whole program.
    setText(said, since(history.seconds));
    setText(problem, problems(metrics, rows));
  }

  every(refresh, signal, async () => draw(new Metrics(await getJSON("api/metrics", { signal }))),
    (error) => setText(trouble, error.message + " What is shown is from before."));
}

const since = (seconds) => (seconds < 1
  ? "Totals are since the program began. Rates per second are shown in a moment."
  : `Totals are since the program began. Rates per second are means of the last ${Math.round(seconds)}\u00a0s.`);

function problems(metrics, rows) {
  return [
    rows.length === 0 && "No process has been reported. mailbox.WithMeterProvider makes a system report its processes.",
    metrics.leftOut > 0 && `${count(metrics.leftOut)} values are left out, because there are too many.`,
    metrics.problem && "Some metrics could not be read: " + metrics.problem,
  ].filter(Boolean).join(" ");
}

// workersText says how many goroutines handle messages, where that is reported.
function workersText(metrics) {
  const parts = [];
  const states = metrics.values("waybill.mailbox.workers", "waybill.worker.state");
  if (states.size > 0) parts.push("Workers: " + [...states].sort().map(([state, n]) => `${count(n)} ${state}`).join(", "));
  let runnable;
  for (const point of metrics.points("waybill.mailbox.runnable")) runnable = (runnable ?? 0) + Number(point.value);
  if (runnable !== undefined) parts.push(`processes that wait for a worker: ${count(runnable)}`);
  return parts.length > 0 ? parts.join("; ") + "." : "";
}

function howToAttach() {
  return h("div", { class: "notice" },
    h("p", {}, "No metrics are collected here yet. They tell of each kind of processes how many messages wait, how long, and what became of them."),
    h("pre", {}, h("code", {},
      "meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))\n" +
      "sys := mailbox.NewSystem(mailbox.WithMeterProvider(meters))")));
}
