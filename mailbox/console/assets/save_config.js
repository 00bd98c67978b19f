// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Saving a changed configuration. If somebody else has changed it meanwhile, what they and
// what you have changed is shown, and nothing is lost.

import { diff, pathText, rebase, valueText } from "./config_diff.js";
import { readConfig, writeConfig } from "./config_store.js";
import { h, replace } from "./dom.js";

// save writes mine, which was made of base = {config, tag}, or the text that mine was read
// from. What goes wrong is shown in place, which is beside the form. It returns what the program has now, or undefined if
// nothing was changed. If the configuration has been changed meanwhile, resolved is called
// later, with what the program has then.
export async function save({ base, mine, text, place, signal, resolved }) {
  replace(place);
  try {
    return await writeConfig(text ?? mine, base.tag, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error.status === 412) await conflict({ base, mine, place, signal, resolved });
    else replace(place, h("p", { class: "error", role: "alert" }, error.message));
    return undefined;
  }
}

async function conflict({ base, mine, place, signal, resolved }) {
  let theirs;
  try {
    theirs = await readConfig(signal);
  } catch (error) {
    if (!signal.aborted) replace(place, h("p", { class: "error", role: "alert" }, error.message));
    return;
  }
  const { merged, both } = rebase(base.config, mine, theirs.config);
  const again = h("button", {
    type: "button", class: "primary", onclick: async () => {
      const saved = await save({ base: theirs, mine: merged, place, signal, resolved });
      if (saved) resolved(saved);
    },
  }, "Make my changes to theirs");
  replace(place, h("div", { class: "notice conflict", role: "alert" },
    h("p", {}, h("strong", {}, "Somebody else has changed the configuration since you read it."), " Nothing of yours is saved yet."),
    changes("Their changes", diff(base.config, theirs.config), both),
    changes("Your changes", diff(base.config, mine), both),
    both.length > 0 && h("p", { class: "warn" }, `Both have changed ${both.map(pathText).join(", ")}. Yours would take the place of theirs there.`),
    h("div", { class: "buttons" }, again,
      h("button", { type: "button", onclick: () => { replace(place); resolved(theirs); } }, "Drop mine, and take theirs"))));
  again.focus();
}

// changes is a table of what differs. Settings in both are marked.
export function changes(title, list, both = []) {
  const marked = new Set(both.map((path) => JSON.stringify(path)));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, h("table", {},
    h("caption", {}, title),
    h("thead", {}, h("tr", {}, ["Setting", "Before", "After"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, list.length === 0 && h("tr", {}, h("td", { colspan: "3", class: "muted" }, "none")), list.map(({ path, before, after }) => h("tr", {},
      h("th", { scope: "row" }, pathText(path), marked.has(JSON.stringify(path)) && h("span", { class: "tag warn" }, "both")),
      h("td", {}, h("code", {}, valueText(before))), h("td", {}, h("code", {}, valueText(after))))))));
}
