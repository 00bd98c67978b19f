// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// A chart of stacked bars: what shares of the last minutes several things took. Each
// series has a colour and a number, which stands in its bars and in the legend, and the
// chart is there as a table too.

import { h, keyed, replace, setText, svg } from "./dom.js";
import { minute, percent } from "./format.js";
import { linear, niceTicks, thin } from "./scales.js";
import { others, stack } from "./stack.js";

const seriesAtMost = 8;
const height = 230;
const margin = { top: 12, right: 4, bottom: 24, left: 58 };

// all is the key of the total.
export const all = Symbol("all");

// timingsChart makes a chart. label says what it shows, and whole what 100 % is. name(key)
// is the name of a series, and address(key) where it leads, or nothing. It returns
// {element, draw(columns)}, where columns, the oldest first, are
//
//   {begin, seconds, running, parts: Map of key to share, total, estimated: Set of keys}
//
// estimated has the keys of the parts that are estimates, and all if the total is one.
export function timingsChart({ label, whole, name, address = () => undefined, signal }) {
  const plot = h("div", { class: "plot" });
  const legend = h("ol", { class: "legend", "aria-label": "Legend" });
  const table = h("div", {});
  const element = h("figure", { class: "chart" },
    h("figcaption", { class: "muted" }, whole), plot, legend,
    h("details", {}, h("summary", {}, "The chart as a table"), table));
  const nameOf = (key) => (key === others ? "all others" : name(key));
  let columns = [];
  let places = new Map();

  function draw() {
    const stacked = stack(columns, seriesAtMost, places);
    places = stacked.places;
    const series = stacked.keys.map((key, i) => ({ key, number: i + 1, colour: colourOf(key, places), name: nameOf(key), address: key === others ? undefined : address(key) }));
    replace(plot, drawing({ label, columns, stacked, series, width: Math.max(plot.clientWidth, 240) }));
    drawLegend(legend, series);
    replace(table, asTable(label, columns, series));
  }

  const observer = new ResizeObserver(() => columns.length > 0 && draw());
  observer.observe(plot);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  return {
    element,
    draw(next) {
      columns = next;
      draw();
    },
  };
}

const colourOf = (key, places) => (key === others ? "var(--wait)" : `var(--s${places.get(key)})`);

function drawing({ label, columns, stacked, series, width }) {
  const ticks = niceTicks(Math.max(stacked.max, 0.1));
  const y = linear([0, ticks.at(-1)], [height - margin.bottom, margin.top]);
  const step = (width - margin.left - margin.right) / Math.max(columns.length, 1);
  const bar = Math.max(Math.min(step - Math.max(step * 0.18, 1), 72), 2);
  const x = (i) => margin.left + i * step + (step - bar) / 2;
  const bySeries = new Map(series.map((s) => [s.key, s]));
  const named = thin(columns.map((_, i) => columns.length - 1 - i), Math.floor((width - margin.left) / 52));
  return svg("svg", { role: "img", "aria-label": describe(label, columns, stacked, bySeries), width, height, viewBox: `0 0 ${width} ${height}` },
    ticks.map((tick) => [
      svg("line", { class: ["grid", tick === 1 && "whole"], x1: margin.left, x2: width - margin.right, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: margin.left - 6, y: y(tick), "text-anchor": "end", "dominant-baseline": "middle" }, tick < 0.1 ? percent(tick) : Math.round(tick * 100).toLocaleString("en") + "\u00a0%"),
    ]),
    stacked.columns.map(({ segments }, i) => svg("g", { class: ["bars", columns[i].running && "running"] },
      segments.map((segment) => drawSegment(segment, bySeries.get(segment.key), columns[i], x(i), bar, y)))),
    named.map((i) => svg("text", { class: "tick", x: Math.min(x(i) + bar / 2, width - 18), y: height - 8, "text-anchor": "middle" },
      columns[i].running ? "now" : minute(columns[i].begin))));
}

function drawSegment({ from, to }, series, column, x, width, y) {
  const [top, tall] = [y(to), y(from) - y(to)];
  return [
    svg("rect", { class: "segment", x, y: top, width, height: Math.max(tall, 0.5), style: { fill: series.colour } },
      svg("title", {}, `${series.name}, ${when(column)}: ${share(to - from, column, series.key)} of the minute`)),
    tall >= 13 && width >= 13 && series.key !== others &&
      svg("text", { class: "number", x: x + width / 2, y: top + tall / 2, "text-anchor": "middle", "dominant-baseline": "central" }, series.number),
  ];
}

const when = ({ begin, running, seconds }) => minute(begin) + (running ? ` (${Math.floor(seconds)} s so far)` : "");

const share = (value, column, key) => (column.estimated.has(key === others ? all : key) ? "~" : "") + percent(value);

function describe(label, columns, stacked, bySeries) {
  const last = columns.length - 1;
  const largest = stacked.keys.find((key) => key !== others);
  if (last < 0 || largest === undefined) return `${label}: nothing in these minutes.`;
  const sum = stacked.columns[last].total;
  return `${label}, ${columns.length} minutes as stacked bars. The largest: ${bySeries.get(largest).name}. ` +
    `All together in the last minute: ${share(sum, columns[last], all)} of it. The same as a table is below.`;
}

function drawLegend(legend, series) {
  keyed(legend, series, (s) => s.name + "\n" + (s.address ?? ""), (s) => h("li", {},
    h("span", { class: "swatch", "aria-hidden": "true" }),
    s.address ? h("a", { href: s.address }, s.name) : h("span", {}, s.name)), (li, s) => {
    const swatch = li.querySelector(".swatch");
    swatch.style.background = s.colour;
    setText(swatch, s.key === others ? "" : s.number);
  });
}

function asTable(label, columns, series) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label + ", as a table" }, h("table", {},
    h("caption", {}, "Share of each minute, the latest first"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Minute"), h("th", { scope: "col", class: "n" }, "All"),
      series.filter((s) => s.key !== others).map((s) => h("th", { scope: "col", class: "n" }, `${s.number} ${s.name}`)))),
    h("tbody", {}, columns.map((column) => h("tr", {},
      h("th", { scope: "row" }, when(column)),
      h("td", { class: "n" }, share(total(column), column, all)),
      series.filter((s) => s.key !== others).map((s) => h("td", { class: "n" }, share(column.parts.get(s.key) ?? 0, column, s.key))))).reverse())));
}

const total = ({ total: given, parts }) => given ?? [...parts.values()].reduce((sum, value) => sum + value, 0);
