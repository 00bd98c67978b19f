// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What processes did with their minutes: a chart of the last ones, and a table of the
// processes, slowest first.

import { every, getJSON } from "./api.js";
import { h, setText } from "./dom.js";
import { things } from "./format.js";
import { changeQuery, link } from "./pages.js";
import { oneLine } from "./span_text.js";
import { timingSwitch } from "./timing_switch.js";
import { all, timingsChart } from "./timings_chart.js";
import { addressOf, keyOf, timingsTable } from "./timings_table.js";
import { processName } from "./timings_text.js";

const refreshTable = 2000;
const refreshChart = 5000;
const firstLimit = 20;
const mostLimit = 1000;
const orders = [["share", "share of the time"], ["longest", "longest handling"], ["wait", "waiting, all together"], ["name", "name"]];
const periods = [["1", "this minute"], ["5", "the last 5 minutes"], ["60", "the last hour"]];

// timingsSection makes the section. It returns {element, kinds(names)}: kinds says which
// kinds of processes there are.
export function timingsSection({ kind, query, features, signal }) {
  const element = h("section", { "aria-labelledby": "timings" }, h("h2", { id: "timings" }, "Who was busy"));
  const switches = timingSwitch({ kind, features, signal });
  if (!features.timings) {
    element.append(howToKeep(), switches.element);
    return { element, kinds: switches.kinds };
  }
  const wanted = { by: choose(orders, query.get("by")), minutes: choose(periods, query.get("minutes")), kind, limit: firstLimit };
  const trouble = h("p", { role: "status", class: "warn" });
  const said = h("p", { class: "muted" });
  const chart = timingsChart({
    label: kind === undefined ? "Share of the time by process" : `Share of the time by process of kind ${oneLine(kind)}`,
    whole: "Share of each minute that processes were busy. 100\u00a0% is one process that is busy all the time.",
    name: (key) => processName(...JSON.parse(key)),
    address: (key) => addressOf(...JSON.parse(key)),
    signal,
  });
  const table = timingsTable();
  const failed = (error) => setText(trouble, error.message + " What is shown is from before.");

  async function readTable() {
    const asked = { ...wanted };
    const top = await getJSON("api/timings", { query: asked, signal });
    if (Object.keys(wanted).some((name) => wanted[name] !== asked[name])) return; // Another answer is on its way.
    setText(trouble, "");
    table.update(top.processes);
    table.element.hidden = top.processes.length === 0;
    kinds.add(top.processes.map((process) => process.kind));
    setText(said, saidOf(top));
    more.hidden = top.more === 0 || wanted.limit >= mostLimit;
  }
  const more = h("button", { type: "button", hidden: true, onclick: () => change("limit", Math.min(wanted.limit * 5, mostLimit)) }, "Show more");
  const change = (name, value) => {
    wanted[name] = value;
    changeQuery({ by: wanted.by, minutes: wanted.minutes });
    readTable().catch((error) => !signal.aborted && failed(error));
  };
  const kinds = kindSelect(kind);
  element.append(chart.element,
    h("div", { class: "toolbar" }, kinds.element,
      h("label", {}, "Time", select(periods, wanted.minutes, (value) => change("minutes", value))),
      h("label", {}, "Order", select(orders, wanted.by, (value) => change("by", value)))),
    table.element, trouble, said, more, switches.element);
  every(refreshTable, signal, readTable, failed);
  every(refreshChart, signal, async () => {
    const columns = columnsOf(await getJSON("api/timings/minutes", { query: { kind }, signal }));
    chart.element.hidden = columns.every(({ total }) => total === 0);
    if (!chart.element.hidden) chart.draw(columns);
  }, failed);
  return {
    element,
    kinds(names) {
      switches.kinds(names);
      kinds.add(names);
    },
  };
}

// kindSelect makes a field that leads to the page of a kind. It returns {element, add(names)}.
function kindSelect(kind) {
  const known = new Set();
  const field = h("select", { onchange: () => { location.hash = field.value === "" ? link(["processes"]) : link(["processes", field.value]); } },
    h("option", { value: "" }, "all"));
  const add = (names) => {
    for (const name of names.filter((name) => name !== "" && !known.has(name))) {
      known.add(name);
      field.append(h("option", { value: name, selected: name === kind }, oneLine(name)));
    }
  };
  if (kind !== undefined) add([kind]);
  return { element: h("label", {}, "Kind", field), add };
}

const choose = (choices, value) => (choices.some(([name]) => name === value) ? value : choices[0][0]);

const select = (choices, value, changed) => {
  const element = h("select", { onchange: () => changed(element.value) },
    choices.map(([name, text]) => h("option", { value: name, selected: name === value }, text)));
  return element;
};

// columnsOf makes columns of the chart from what api/timings/minutes says. Minutes before
// the first in which something was timed are left out, but five are there.
export function columnsOf({ minutes, processes }) {
  const first = minutes.findIndex((m) => m.share > 0);
  const from = Math.max(Math.min(first < 0 ? minutes.length : first, minutes.length - 5), 0);
  const estimated = processes.filter((p) => p.estimated).map(keyOf);
  return minutes.map((m, i) => ({
    begin: m.begin,
    seconds: m.length_ns / 1e9,
    running: m.length_ns < 60e9,
    estimated: new Set([...estimated, ...(m.estimated ? [all] : [])]),
    total: m.share,
    parts: new Map(processes.map((p) => [keyOf(p), p.shares[i]])),
  })).slice(from);
}

function saidOf(top) {
  const some = top.processes.some((p) => p.all.timed < p.all.count);
  return [
    top.processes.length === 0 && "Nothing was timed in these minutes.",
    top.more > 0 && `There are ${things(top.more, "more process", "more processes")}.`,
    some && "~ stands before estimates: not all messages of these processes are timed.",
  ].filter(Boolean).join(" ");
}

function howToKeep() {
  return h("div", { class: "notice" },
    h("p", {}, "This program keeps no timings here. They tell which process is slow, and what it does with its minute."),
    h("pre", {}, h("code", {},
      "store := timings.New(timings.Config{})\n" +
      "sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))\n" +
      "con := console.New(console.Config{Control: control, Timings: store})")));
}
