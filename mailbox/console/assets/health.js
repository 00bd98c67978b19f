// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The health of the tracing: every counter with what it means, and what the console itself
// keeps.
import { every, getJSON } from "./api.js";
import { h, keyed, replace, setText } from "./dom.js";
import { bytes, count, number, percent, things } from "./format.js";
import { Counters } from "./health_counters.js";
import { storeRows } from "./health_store.js";

const refresh = 2000; // milliseconds
const mostRows = 30; // of one counter

const packages = {
  mailbox: "Processes", fanout: "Fan-outs", sampling: "Sampling", envelope: "Messages on channels and as bytes",
  propagate: "Headers", grpcstream: "Streams of gRPC", sampler: "The sampler", channel: "Channels", plugins: "Plug-ins",
  remote: "Other machines", placement: "Processes placed on nodes", durable: "Durable messages",
};

export async function show(root, params, signal) {
  const counters = new Counters();
  const began = Date.now();
  const counted = h("p", { class: "muted" }); // It changes all the time, so it is not said aloud.
  const said = h("p", { class: "warn", role: "status" });
  const summary = h("div", { class: "health-summary" });
  const groups = h("div", {});
  const unattached = h("div", { class: "panel", hidden: true });
  const kept = h("dl", { class: "panel health-store" });
  replace(root, h("h1", {}, "Health"), summary, counted, said, unattached, groups,
    h("section", {}, h("h2", {}, "What the console keeps"), kept));

  every(refresh, signal, async () => {
    const [metrics, about] = await Promise.all([getJSON("api/metrics", { signal }), getJSON("api/about", { signal })]);
    const read = counters.read(metrics);
    const troubles = read.flatMap((group) => group.counters).filter((counter) => counter.trouble);
    showSummary(summary, troubles, metrics.attached, about.totals);
    unattached.hidden = metrics.attached || about.features.traces_only;
    if (!unattached.hidden) replace(unattached, howToAttach(metrics.shut_down));
    keyed(groups, read, (group) => group.name, newGroup, fillGroup);
    keyed(kept, storeRows(about.totals), (row) => row.name, newStoreRow, fillStoreRow);
    setText(counted, metrics.attached ? sinceText(began) : "");
    setText(said, metrics.attached && metrics.problem ? "Not all could be read: " + metrics.problem : "");
  }, (error) => setText(said, error.message + " What is shown is from before."));
}

function sinceText(began) {
  const seconds = Math.round((Date.now() - began) / 1000);
  return "Counted since the program began. In brackets is what was counted since this page was opened, " + (seconds < 120 ? seconds + "\u00a0s" : Math.round(seconds / 60) + "\u00a0min") + " ago.";
}

function showSummary(root, troubles, attached, totals) {
  const losing = totals.dropped > 0;
  if (!attached && !losing) return replace(root);
  const items = troubles.map((counter) => h("li", {}, h("span", { class: "muted" }, plainName(counter.name) + ": "), valueText(counter)));
  if (losing) items.push(h("li", {}, h("span", { class: "muted" }, "Faster than the console could keep them: "), things(totals.dropped, "span")));
  const text = items.length === 0 ? "No sign of trouble: no message was refused or lost, and nothing of the tracing." : things(items.length, "sign") + " of trouble";
  const key = text + items.map((item) => item.textContent).join();
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  replace(root, h("div", { class: ["panel", items.length > 0 ? "warned" : "well"] }, h("strong", {}, text), items.length > 0 && h("ul", {}, items)));
}

// plainName makes "Processes, dead letters" of a counter's name.
function plainName(name) {
  const [, first, ...rest] = name.split(".");
  return (packages[first] ?? first) + ", " + rest.join(" ").replaceAll("_", " ");
}

function newGroup(group) {
  const title = packages[group.name] ?? group.name;
  return h("section", {}, h("h2", {}, title), h("div", { class: "scroll" }, h("table", { class: "health" },
    h("caption", { class: "hidden-text" }, title),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Counter"), h("th", { scope: "col" }, "What it counts"), h("th", { scope: "col", class: "n" }, "Value"))),
    h("tbody", {}))));
}

function fillGroup(section, group) {
  keyed(section.querySelector("tbody"), group.counters, (counter) => counter.name, newCounter, fillCounter);
}

function newCounter(counter) {
  return h("tr", {}, h("th", { scope: "row" }, h("code", {}, counter.name.replace(/^waybill\./, "")), h("span", { class: "tag warn", hidden: true }, "trouble")),
    h("td", { class: "what" }, counter.description), h("td", { class: "values" }, h("ul", {})));
}

function fillCounter(row, counter) {
  row.classList.toggle("trouble", counter.trouble);
  row.classList.toggle("nothing", counter.value === 0);
  row.querySelector(".tag").hidden = !counter.trouble;
  const rows = counter.rows.slice(0, mostRows);
  if (rows.length !== 1 && counter.sums) rows.unshift({ key: "", labels: [], value: counter.value, since: counter.since });
  if (rows.length === 0) rows.push({ key: "", labels: [], value: 0, since: 0 });
  const left = counter.rows.length - mostRows;
  if (left > 0) rows.push({ key: "more", more: "and " + things(left, "value") + " more" });
  keyed(row.querySelector("ul"), rows, (item) => item.key, newValue, (item, value) => fillValue(item, value, counter));
}

function newValue() {
  return h("li", {}, h("span", { class: "labels" }), h("span", { class: "amount" }), h("span", { class: "since" }));
}

function fillValue(item, { labels, value, since, more }, counter) {
  const [where, figure, recent] = item.children;
  if (more) return setText(where, more);
  setText(where, labels.map(([key, text]) => key + " " + text).join(", "));
  setText(figure, figureText(value, counter));
  setText(recent, counter.grows && since > 0 ? "(+" + count(since) + ")" : "");
}

function valueText(counter) {
  return figureText(counter.value, counter) + (counter.since > 0 ? " (+" + count(counter.since) + ")" : "");
}

function figureText(value, { unit, one }) {
  if (unit === "1") return percent(value);
  return number(value) + (unit && "\u00a0" + (value === 1 ? one : unit));
}

function newStoreRow(row) {
  return h("div", {}, h("dt", {}, row.name), h("dd", {}, h("span", { class: "figure" }), row.share !== undefined && h("meter", { min: 0, max: 1, "aria-label": row.name }),
    h("span", { class: "muted" }, row.what)));
}

function fillStoreRow(element, row) {
  setText(element.querySelector(".figure"), row.share === undefined ? count(row.value) : bytes(row.value) + " of " + bytes(row.of) + ", " + percent(row.share));
  const meter = element.querySelector("meter");
  if (meter) meter.value = row.share;
  element.classList.toggle("trouble", row.trouble === true);
}

function howToAttach(shutDown) {
  return [
    h("p", {}, shutDown ? "The meter provider whose reader the console had was shut down, so there is nothing more to count."
      : "No meter provider has a reader of the console, so it cannot show what the library counts. Give it one:"),
    !shutDown && h("pre", {}, "meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))\nsys := mailbox.NewSystem(mailbox.WithMeterProvider(meters))"),
  ];
}
