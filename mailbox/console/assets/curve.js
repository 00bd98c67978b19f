// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// A curve of sampling: what share of the recipients is sampled, by the size of the fan-out.

import { h, replace, svg } from "./dom.js";
import { clock, count, things } from "./format.js";
import { link } from "./pages.js";
import { decades, logarithmic, thin } from "./scales.js";

// probability is the share that a curve gives for a size, as in package sampling: between
// its points it is straight where both axes are logarithmic, and flat outside of them.
// points are [{size, probability}], in any order.
export function probability(points, size) {
  const sorted = [...points].sort((a, b) => a.size - b.size);
  const after = sorted.findIndex((point) => point.size >= size);
  if (after < 0) return sorted.at(-1)?.probability;
  const [a, b] = [sorted[after - 1], sorted[after]];
  if (!a || b.size === size) return b.probability;
  const along = Math.log(size / a.size) / Math.log(b.size / a.size);
  const p = a.probability * (b.probability / a.probability) ** along;
  return Math.min(Math.max(p, Math.min(a.probability, b.probability)), Math.max(a.probability, b.probability));
}

// limit is how many recipients one fan-out may sample, or undefined: zero and less is no limit.
export const limit = (settings) => (settings.max_spans > 0 ? settings.max_spans : undefined);

// planned is the share that is sampled of so many recipients, on average, without a rate.
export function planned(settings, size) {
  return Math.min(probability(settings.curve, size), (limit(settings) ?? Infinity) / size);
}

// domain returns the decades that a plot shows: {sizes, shares}, both ascending.
export function domain(curves, fanouts) {
  const sizes = [10, ...fanouts.map((f) => f.size)];
  const shares = [0.1];
  for (const { curve } of curves) sizes.push(...curve.map((point) => point.size));
  const largest = Math.max(...sizes.filter((size) => Number.isFinite(size)));
  const xs = decades(1, Math.min(Math.max(largest, 10), 1e9));
  for (const settings of curves) {
    for (const point of settings.curve) shares.push(point.probability);
    shares.push(planned(settings, xs.at(-1)));
  }
  for (const { size, sampled } of fanouts) if (sampled > 0) shares.push(sampled / size);
  const least = Math.min(...shares.filter((share) => share > 0));
  return { sizes: xs, shares: decades(Math.max(least, 1e-9), 1) };
}

// methods are how the sampled recipients were chosen: name is for a table, and text for a
// legend. Each has a shape and a colour.
export const methods = {
  all: { name: "all", text: "every recipient", shape: "circle", colour: "var(--s2)" },
  uniform: { name: "uniform", text: "so many at random", shape: "square", colour: "var(--s0)" },
  systematic: { name: "systematic", text: "shared out to relays", shape: "triangle", colour: "var(--s4)" },
  bernoulli: { name: "bernoulli", text: "each by chance, their number unknown", shape: "diamond", colour: "var(--s3)" },
  none: { name: "nobody", text: "sampled nobody, by chance", shape: "ring", colour: "var(--muted)" },
  shed: { name: "shed", text: "shed by the last resort", shape: "cross", colour: "var(--error)" },
  other: { name: "other", text: "another method", shape: "square", colour: "var(--s11)" },
};

// methodOf returns the key in methods for a fan-out.
export function methodOf({ shed, sampled, method }) {
  if (shed) return "shed";
  if (!(sampled > 0)) return "none";
  return Object.hasOwn(methods, method) ? method : "other";
}

// marker draws the sign of a method.
export function marker(key, x, y) {
  const { shape, colour } = methods[key];
  const path = (d) => svg("path", { d, style: { fill: colour } });
  switch (shape) {
    case "circle": return svg("circle", { cx: x, cy: y, r: 4.5, style: { fill: colour } });
    case "ring": return svg("circle", { cx: x, cy: y, r: 4, style: { fill: "none", stroke: colour, "stroke-width": "1.8px" } });
    case "triangle": return path(`M${x} ${y - 5.5}L${x + 5.2} ${y + 4}H${x - 5.2}Z`);
    case "diamond": return path(`M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z`);
    case "cross": return svg("path", { d: `M${x - 4.5} ${y - 4.5}l9 9m0 -9l-9 9`, style: { fill: "none", stroke: colour, "stroke-width": "2.4px" } });
    default: return svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, style: { fill: colour } });
  }
}

const height = 300;
const margin = { top: 12, right: 20, bottom: 44, left: 62 };

// curvePlot makes the plot of a group. It returns {element, draw(settings, fanouts,
// preview)}: settings are nil if they are not known, and preview are those that somebody
// is about to set.
export function curvePlot({ label, signal }) {
  const plot = h("div", { class: "plot" });
  const legend = h("ul", { class: "legend", "aria-label": "Legend" });
  const element = h("figure", { class: "chart curve" }, plot, legend);
  let drawn;
  const draw = () => {
    replace(plot, drawing({ label, ...drawn, width: Math.max(plot.clientWidth, 240) }));
    replace(legend, legendOf(drawn));
  };
  const observer = new ResizeObserver(() => drawn && draw());
  observer.observe(plot);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  return {
    element,
    draw(settings, fanouts, preview) {
      drawn = { settings, fanouts, preview };
      draw();
    },
  };
}

function drawing({ label, settings, fanouts, preview, width }) {
  const { sizes, shares } = domain([settings, preview].filter(Boolean), fanouts);
  const x = logarithmic([sizes[0], sizes.at(-1)], [margin.left, width - margin.right]);
  const y = logarithmic([shares[0], 1], [height - margin.bottom, margin.top]);
  const floor = height - margin.bottom;
  const at = (fanout) => [x(Math.max(fanout.size, 1)) + aside(fanout.span_id), fanout.sampled > 0 ? y(Math.min(fanout.sampled / fanout.size, 1)) : floor];
  return svg("svg", { role: "img", "aria-label": describe(label, settings, fanouts), width, height, viewBox: `0 0 ${width} ${height}` },
    axes({ sizes, shares, x, y, width, floor }),
    settings && svg("path", { class: "curve-line", d: path(settings, sizes, x, y) }),
    settings && limit(settings) && svg("path", { class: "uncapped-line", d: path({ curve: settings.curve }, sizes, x, y) }),
    preview && svg("path", { class: "preview-line", d: path(preview, sizes, x, y) }),
    [...fanouts].reverse().map((fanout, i) => point(fanout, ...at(fanout), fanouts.length - 1 - i)));
}

// aside moves a point a little to the side, always the same way, so that those of one size
// do not hide each other.
const aside = (spanID) => ((parseInt(spanID.slice(-4), 16) || 0) / 0xffff - 0.5) * 12;

function axes({ sizes, shares, x, y, width, floor }) {
  const few = Math.max(Math.floor((width - margin.left) / 64), 2);
  return [
    shares.map((share) => [
      svg("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: y(share), y2: y(share) }),
    ]),
    thin([...shares].reverse(), 8).map((share) => svg("text", { class: "tick", x: margin.left - 6, y: y(share), "text-anchor": "end", "dominant-baseline": "middle" }, shareText(share))),
    sizes.map((size) => svg("line", { class: "grid", x1: x(size), x2: x(size), y1: margin.top, y2: floor })),
    thin(sizes, few).map((size) => svg("text", { class: "tick", x: x(size), y: floor + 16, "text-anchor": "middle" }, compact(size))),
    svg("text", { class: "axis", x: (margin.left + width - margin.right) / 2, y: height - 6, "text-anchor": "middle" }, "recipients of a fan-out"),
    svg("text", { class: "axis", x: -(margin.top + floor) / 2, y: 12, "text-anchor": "middle", transform: "rotate(-90)" }, "share sampled"),
  ];
}

// path is exact where both axes are logarithmic: between the sizes where something changes
// it is straight.
function path(settings, sizes, x, y) {
  const turns = [sizes[0], sizes.at(-1), ...settings.curve.map((point) => point.size)];
  const most = limit(settings);
  if (most) {
    for (let i = 0; i <= 200; i++) turns.push(sizes[0] * (sizes.at(-1) / sizes[0]) ** (i / 200));
  }
  const within = turns.filter((size) => size >= sizes[0] && size <= sizes.at(-1)).sort((a, b) => a - b);
  return within.map((size, i) => `${i === 0 ? "M" : "L"}${x(size).toFixed(1)} ${y(planned(settings, size)).toFixed(1)}`).join("");
}

// point draws a fan-out. Older ones are paler. The table has the same links, so the
// keyboard goes there.
function point(fanout, x, y, age) {
  const text = `${clock(fanout.start)}: ${count(fanout.sampled)} of ${count(fanout.size)} recipients sampled, ${methods[methodOf(fanout)].text}`;
  return svg("a", { href: link(["traces", fanout.trace_id, fanout.span_id]), tabindex: "-1", class: "fanout", style: { opacity: Math.max(1 - age / 60, 0.3) } },
    svg("circle", { class: "target", cx: x, cy: y, r: 10 }), marker(methodOf(fanout), x, y), svg("title", {}, text));
}

function legendOf({ settings, fanouts, preview }) {
  const line = (name) => svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, svg("path", { class: name, d: "M1 6H25" }));
  const counts = new Map();
  for (const fanout of fanouts) counts.set(methodOf(fanout), (counts.get(methodOf(fanout)) ?? 0) + 1);
  return [
    settings && h("li", {}, line("curve-line"), limit(settings) ? "what is sampled, with the limit" : "the curve"),
    settings && limit(settings) && h("li", {}, line("uncapped-line"), "the curve alone"),
    preview && h("li", {}, line("preview-line"), "what you are about to set"),
    [...counts].map(([key, n]) => h("li", {},
      svg("svg", { width: 16, height: 16, "aria-hidden": "true" }, marker(key, 8, 8)), `${methods[key].name} (${methods[key].text}): ${things(n, "fan-out")}`)),
  ];
}

// shareText writes a share with all its digits: 0.001 %.
export const shareText = (share) => Number((share * 100).toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 9 }) + "\u00a0%";

function compact(size) {
  if (size >= 1e9) return size / 1e9 + "G";
  if (size >= 1e6) return size / 1e6 + "M";
  return size >= 1e4 ? size / 1e3 + "k" : count(size);
}

function describe(label, settings, fanouts) {
  const curve = settings
    ? "The curve goes through " + settings.curve.map((point) => `${shareText(point.probability)} of ${count(point.size)}`).join(", ") + "."
    : "The curve is not known.";
  return `${label}: share of the recipients that are sampled, by the size of the fan-out. ${curve} ${count(fanouts.length)} fan-outs are drawn; the table has them too.`;
}
