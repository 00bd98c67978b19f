// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The panel that causes trouble.
import { $, every, h, json, link, setText } from "./dom.js";

const cards = new Map(); // by the name of the trouble
let states = [];

// begin shows all sorts of trouble, and keeps to what there is of them.
export async function begin() {
  await look();
  every(1000, look);
}

async function look() { show((await json("trouble")).trouble); }

function show(trouble) {
  states = trouble;
  for (const s of trouble) {
    if (!cards.has(s.name)) {
      cards.set(s.name, card(s));
      $("trouble").append(cards.get(s.name).element);
    }
    update(cards.get(s.name), s);
  }
}

// card makes the card of one sort of trouble.
function card(s) {
  const inputs = s.settings.map((setting) => {
    const id = `${s.name}-${setting.name}`;
    return h("label", {}, setting.label, " ", h("span", { class: "value" }, h("input", {
      id, name: setting.name, type: "number", inputmode: "numeric", required: true,
      min: setting.min, max: setting.max, value: setting.value, "data-default": setting.value,
    }), setting.unit ? ` ${setting.unit}` : ""));
  });
  const start = h("button", { id: `${s.name}-start` }, "Start");
  const stop = h("button", { id: `${s.name}-stop`, type: "button", onclick: () => ask("DELETE", s.name) }, "Stop");
  const now = h("span", { role: "status" }); // Said aloud, and so not each second.
  const more = h("span");
  const process = h("a", { id: `${s.name}-process`, target: "waybill-console", hidden: true });
  const form = h("form", {
    "aria-label": s.title,
    onsubmit: (event) => { event.preventDefault(); begun(s, form); },
  }, ...inputs, h("span", { class: "buttons" }, start, stop));
  const element = h("li", { id: `trouble-${s.name}`, class: "panel" },
    h("h3", {}, s.title), h("p", {}, s.what), form, h("p", { id: `${s.name}-state`, class: "state" }, now, more, " ", process),
    h("details", { open: true }, h("summary", {}, "What to look for"),
      h("ul", {}, s.look_for.map((hint) => h("li", {}, link(hint.path, hint.where), `: ${hint.what}`)))));
  return { element, form, start, stop, now, more, process };
}

function update({ element, start, stop, now, more, process }, s) {
  element.classList.toggle("on", s.on);
  setText(start, s.on ? "Start anew" : "Start");
  if (!s.on && document.activeElement === stop) start.focus(); // A button that is off has no focus.
  stop.disabled = !s.on;
  setText(now, s.on ? "On" : s.happened ? "Over" : "");
  setText(more, (s.on ? `, for ${s.seconds_left} s more` : "") + (s.happened ? `: ${s.happened}` : ""));
  process.hidden = !s.process;
  if (!s.process) return;
  process.href = `console/#/processes/${s.process}`;
  setText(process, s.process.replace("/", " "));
}

// begun orders trouble, and posts as well, because without any nothing shows.
async function begun(s, form) {
  const order = Object.fromEntries([...form.elements].filter((e) => e.name).map((e) => [e.name, e.valueAsNumber]));
  if (!await ask("POST", s.name, order) || s.name === "traffic" || !$("with-traffic").checked) return;
  const traffic = states.find((other) => other.name === "traffic");
  if (traffic?.on && traffic.seconds_left >= order.seconds) return; // They last as long as the trouble.
  const rate = cards.get("traffic").form.elements.per_second.valueAsNumber || undefined;
  await ask("POST", "traffic", { guild: order.guild, seconds: order.seconds, per_second: rate });
}

// ask orders trouble or ends it, and reports whether that went well.
async function ask(method, name, order) {
  try {
    show((await json(`trouble/${name}`, { method, body: order && JSON.stringify(order) })).trouble);
    setText($("trouble-state"), "");
    return true;
  } catch (err) {
    setText($("trouble-state"), err.message);
    return false;
  }
}
