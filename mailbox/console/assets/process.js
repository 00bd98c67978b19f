// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The page of one process: what it did with its last minutes.

import { every, getJSON } from "./api.js";
import { h, keyed, replace, setText } from "./dom.js";
import { fullTime, minute } from "./format.js";
import { link } from "./pages.js";
import { oneLine } from "./span_text.js";
import { processName, row } from "./timings_text.js";
import { all, timingsChart } from "./timings_chart.js";

const refresh = 2000;
const minutesShown = 60;

export async function show(root, params, signal) {
  const { kind } = params;
  const id = params.id ?? "";
  const title = processName(kind, id);
  const chart = timingsChart({ label: `What ${title} did`, whole: "Share of each minute by type of message. 100\u00a0% is busy all the time.", name: oneLine, signal });
  const trouble = h("p", { role: "status", class: "warn" });
  const said = h("p", { class: "muted" });
  const detail = h("div", {});
  replace(root,
    h("nav", { "aria-label": "Breadcrumbs", class: "crumbs" },
      h("a", { href: link(["processes"]) }, "Processes"), " › ", h("a", { href: link(["processes", kind]) }, oneLine(kind))),
    h("h1", {}, title), said, trouble, detail);

  const table = minutesTable(title);
  const { features } = await getJSON("api/about", { signal });
  if (!features.timings) {
    setText(said, "This program keeps no timings, so nothing is known of single processes. The console needs a store of them: console.Config.Timings.");
    return;
  }
  every(refresh, signal, async () => {
    const { minutes } = await getJSON("api/timings?" + new URLSearchParams({ kind, id }), { signal });
    setText(trouble, "");
    draw(minutes);
  }, (error) => setText(trouble, error.message));

  function draw(minutes) {
    if (minutes.length === 0) {
      setText(said, "Nothing is kept of this process. Either it handled nothing in the last hour, or its kind is not timed, or others were busier, so that its minutes were forgotten.");
      replace(detail);
      return;
    }
    setText(said, summary(minutes));
    if (!detail.firstChild) replace(detail, chart.element, h("h2", {}, "Minute by minute"), table.element);
    chart.draw(columns(minutes));
    table.update(minutes);
  }
}

function summary(minutes) {
  const last = minutes.at(-1);
  const [busiest] = last.types;
  const mostly = busiest && last.all.share > 0 ? `, most of it with ${oneLine(busiest.type)}` : "";
  return `In the minute of ${minute(last.begin)} it was busy for ${row(last.all).share} of the time${mostly}.`;
}

// columns puts the minutes that are kept in a row with those that are not, so that gaps show.
function columns(minutes) {
  const byBegin = new Map(minutes.map((m) => [Date.parse(m.begin), m]));
  const last = Date.parse(minutes.at(-1).begin);
  const first = Math.max(Math.min(Date.parse(minutes[0].begin), last - 14 * 60_000), last - (minutesShown - 1) * 60_000);
  const found = [];
  for (let begin = first; begin <= last; begin += 60_000) {
    const m = byBegin.get(begin);
    found.push({
      begin: new Date(begin).toISOString(),
      seconds: (m?.length_ns ?? 60e9) / 1e9,
      running: m !== undefined && m.length_ns < 60e9,
      estimated: new Set([...(m?.types ?? []).filter(estimate).map((type) => type.type), ...(m && estimate(m.all) ? [all] : [])]),
      parts: new Map((m?.types ?? []).map((type) => [type.type, type.share])),
    });
  }
  return found;
}

const estimate = (r) => r.timed < r.count;

function minutesTable(title) {
  const body = h("tbody", {});
  const heading = (text, unit) => h("th", { scope: "col", class: "n" }, text, h("span", { class: "unit" }, unit));
  const element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Minutes of " + title }, h("table", {},
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "Minute"), h("th", { scope: "col" }, "Type of message"),
      heading("Share", "of the minute"), heading("Busy", "time"), heading("Handled", "messages"), heading("Longest", "time"),
      heading("Mean wait", "time"), heading("Longest wait", "time"))),
    body));
  return {
    element,
    update(minutes) {
      const rows = [...minutes].reverse().flatMap((m) => [
        { ...row(m.all), key: m.begin, begin: m.begin, running: m.length_ns < 60e9, seconds: m.length_ns / 1e9 },
        ...m.types.map((type) => ({ ...row(type), key: m.begin + "\n" + type.type, type: type.type })),
      ]);
      keyed(body, rows, (r) => r.key, makeRow, updateRow);
    },
  };
}

const makeRow = (r) => h("tr", { class: r.type === undefined ? "minute" : "part" },
  r.type === undefined ? h("th", { scope: "row", title: fullTime(r.begin) }) : h("td", {}),
  h("td", {}, r.type === undefined ? h("span", { class: "muted" }, "all types") : oneLine(r.type)),
  Array.from({ length: 6 }, () => h("td", { class: "n" })));

function updateRow(tr, r) {
  const cells = tr.children;
  if (r.type === undefined) setText(cells[0], minute(r.begin) + (r.running ? `, ${Math.floor(r.seconds)}\u00a0s so far` : ""));
  [r.share, r.busy, r.count, r.longest, r.meanWait, r.longestWait].forEach((text, i) => setText(cells[i + 2], text));
}
