// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// A form for the sampling of one group.

import { h, replace } from "./dom.js";
import { save } from "./save_config.js";

// curveEditor makes the form. base is the configuration that it changes, settings are
// those of the group as they are, preview is called with what is in the form, and
// done with what the program has in the end, or with nothing.
export function curveEditor({ group, base, settings, signal, preview, done }) {
  const own = Object.hasOwn(base.config.groups ?? {}, group);
  const place = h("div", {});
  const body = h("tbody", {});
  const limits = limitFields.map(([name, label, step]) => {
    const input = h("input", { type: "number", min: "0", step, value: settings[name] > 0 ? settings[name] : "", placeholder: "no limit" });
    return { name, input, label: h("label", {}, label, input) };
  });

  function addPoint({ size, probability }) {
    const row = h("tr", {},
      h("td", {}, h("input", { type: "number", min: "1", step: "1", required: true, value: size, "aria-label": "Recipients" })),
      h("td", {}, h("input", { type: "number", min: "0", max: "100", step: "any", required: true, value: Number((probability * 100).toPrecision(12)), "aria-label": "Share sampled, in percent" }), " %"),
      h("td", {}, h("button", { type: "button", class: "small", onclick: () => { row.remove(); changed(); add.focus(); } }, "Remove")));
    body.append(row);
    return row;
  }
  const add = h("button", { type: "button", onclick: () => {
    const { curve } = read();
    const last = curve.at(-1) ?? { size: 1, probability: 1 };
    addPoint({ size: last.size * 10, probability: last.probability }).querySelector("input").focus();
    changed();
  } }, "Add a point");

  const read = () => formSettings(
    [...body.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value)),
    limits.map(({ name, input }) => [name, input.value]), settings);
  const changed = () => preview(read());

  async function send(mine) {
    const saved = await save({ base, mine, place, signal, resolved: done });
    if (saved) done(saved);
  }

  settings.curve.forEach(addPoint);
  const form = h("form", {
    class: "stack editor", oninput: changed, onsubmit: (event) => {
      event.preventDefault();
      send(withGroup(base.config, group, read()));
    },
  },
  h("p", { class: "muted" }, "What is saved here holds for this group only, from its next fan-out on."),
  h("div", { class: "scroll" }, h("table", { class: "points" },
    h("caption", {}, "Points of the curve. Between them it is straight where both axes are logarithmic."),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Recipients"), h("th", { scope: "col" }, "Share sampled"), h("th", { scope: "col" }, h("span", { class: "hidden-text" }, "Remove")))),
    body)),
  h("div", {}, add),
  h("div", { class: "toolbar" }, limits.map(({ label }) => label)),
  place,
  h("div", { class: "buttons" },
    h("button", { type: "submit", class: "primary" }, "Save"),
    own && h("button", { type: "button", onclick: () => send(withGroup(base.config, group, undefined)) }, "Follow the default"),
    h("button", { type: "button", onclick: () => done() }, "Cancel")));
  changed();
  return form;
}

const limitFields = [
  ["max_spans", "Recipients sampled in one fan-out, at most", "1"],
  ["spans_per_second", "Recipients sampled per second, on average", "any"],
  ["max_spans_per_second", "Last resort: above so many per second, nobody is sampled", "any"],
];

// formSettings returns the settings that are in a form: points are texts of size and
// percent, and limits are names and texts. A limit that is left out is none. One that
// said so with a number below zero goes on to say it.
export function formSettings(points, limits, before) {
  const settings = { curve: [] };
  for (const [size, percent] of points) {
    if (size === "" || percent === "") continue;
    settings.curve.push({ size: Number(size), probability: Number((Number(percent) / 100).toPrecision(12)) });
  }
  settings.curve.sort((a, b) => a.size - b.size);
  for (const [name, text] of limits) {
    if (text !== "" && Number(text) !== 0) settings[name] = Number(text);
    else if (before[name] < 0) settings[name] = before[name];
  }
  return settings;
}

// withGroup returns a configuration with other settings of a group, or with none.
export function withGroup(config, group, settings) {
  const groups = new Map(Object.entries(structuredClone(config.groups ?? {})));
  if (settings === undefined) groups.delete(group);
  else groups.set(group, settings);
  return { ...structuredClone(config), groups: Object.fromEntries(groups) };
}
