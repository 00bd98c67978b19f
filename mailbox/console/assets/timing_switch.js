// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Which kinds of processes are timed, and a form that changes it where that is allowed.

import { readConfig, writeConfig } from "./config_store.js";
import { h, replace, setText } from "./dom.js";
import { count } from "./format.js";
import { oneLine } from "./span_text.js";

// timingSwitch makes the part of the page. It returns {element, kinds(names)}.
export function timingSwitch({ kind, features, signal }) {
  const element = h("div", { class: "timing-switch" });
  let known = [];
  let read;

  async function load() {
    read = await readConfig(signal);
    draw();
  }

  const names = () => [...new Set([...known, ...Object.keys(read.config.kinds ?? {})])]
    .filter((name) => kind === undefined || name === kind).sort();

  function draw() {
    if (!read) return;
    const timed = names().map((name) => [name, oneIn(read.config, name)]);
    replace(element,
      h("h3", {}, "What is timed"),
      timed.length === 0 ? h("p", { class: "muted" }, "No kind of processes is known yet.")
        : h("ul", { class: "plain" }, timed.map(([name, n]) => h("li", {}, h("strong", {}, oneLine(name)), ": ", timedText(n)))),
      features.changes ? form(timed) : timed.some(([, n]) => n === 0) && howToTime());
  }

  function form(timed) {
    if (timed.length === 0) return undefined;
    const failed = h("p", { class: "error", role: "alert" });
    const which = h("select", {}, timed.map(([name]) => h("option", { value: name }, oneLine(name))));
    const n = h("input", { type: "number", min: "0", max: "1000000000", value: "1", required: true });
    const suggest = () => { n.value = String(Math.max(oneIn(read.config, which.value), 1)); };
    which.addEventListener("change", suggest);
    which.value = (timed.find(([, now]) => now === 0) ?? timed[0])[0];
    suggest();
    return h("form", {
      class: "toolbar", onsubmit: async (event) => {
        event.preventDefault();
        try {
          read = await writeConfig(withTiming(read.config, which.value, Number(n.value)), read.tag, signal);
          draw();
          element.querySelector("button").focus();
        } catch (error) {
          if (signal.aborted) return;
          setText(failed, error.status === 412 ? "Somebody else has changed the configuration. It was read again: look at it, and try again." : error.message);
          if (error.status === 412) read = await readConfig(signal);
        }
      },
    },
    h("label", {}, "Kind", which),
    h("label", {}, "Time one message in … (0: none)", n),
    h("button", { type: "submit" }, "Change what is timed"), failed);
  }

  if (features.config) {
    load().catch((error) => !signal.aborted && replace(element, h("p", { class: "error", role: "alert" }, error.message)));
  } else {
    replace(element, howToTime());
  }
  return {
    element,
    kinds(found) {
      if (found.every((name) => known.includes(name))) return;
      known = [...new Set([...known, ...found])];
      draw();
    },
  };
}

// oneIn is what a configuration says of a kind: 0 if it is not timed.
export function oneIn(config, kind) {
  const kinds = config.kinds ?? {};
  const settings = Object.hasOwn(kinds, kind) ? kinds[kind] : config.default;
  return settings?.time_one_in ?? 0;
}

// withTiming returns a configuration in which one message in n to a kind is timed. A kind
// that had the settings of others keeps them otherwise.
export function withTiming(config, kind, n) {
  const changed = structuredClone(config);
  const kinds = new Map(Object.entries(changed.kinds ?? {}));
  kinds.set(kind, { ...(kinds.get(kind) ?? structuredClone(config.default)), time_one_in: n });
  changed.kinds = Object.fromEntries(kinds);
  return changed;
}

const timedText = (n) => (n === 0 ? "not timed" : n === 1 ? "every message is timed" : `one message in ${count(n)} is timed, at random`);

function howToTime() {
  return h("div", {},
    h("p", {}, "A kind is timed, here and in its waits and handling times above, if TimeOneIn in its settings says so. With 1, every message is timed. With n, one message in n is timed, at random, which is for kinds with very many light messages."),
    h("pre", {}, h("code", {}, 'sampling.Config{Kinds: map[string]sampling.KindConfig{"guild": {TimeOneIn: 1}}}')));
}
