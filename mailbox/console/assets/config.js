// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The live configuration as JSON, and as a text to edit where that is allowed.

import { every } from "./api.js";
import { diff } from "./config_diff.js";
import { readConfig } from "./config_store.js";
import { h, replace, setText } from "./dom.js";
import { changes, save } from "./save_config.js";
import { oneLine } from "./span_text.js";

const refresh = 2000;

// configSection makes the section. changed is called when it has changed the
// configuration. It returns {element, read()}: read returns what the program has now.
export function configSection({ features, signal, changed }) {
  const shown = h("pre", { class: "json", tabindex: "0", role: "region", "aria-label": "Configuration as JSON" });
  const unknown = h("p", { class: "warn" });
  const status = h("p", { role: "status", class: "muted" });
  const body = h("div", {});
  const element = h("section", { "aria-labelledby": "config" }, h("h2", { id: "config" }, "Live configuration"), body);
  let present;

  function draw(next) {
    present = next;
    setText(shown, next.text);
    setText(unknown, unknownText(next.unknown));
  }

  function view() {
    replace(body, h("p", { class: "muted" }, reason(features)), unknown, shown, status,
      features.changes && h("p", {}, h("button", { type: "button", onclick: edit }, "Edit as JSON")));
  }

  function edit() {
    if (present) replace(body, editor({ base: present, signal, done(saved) {
      if (saved) {
        draw(saved);
        changed();
      }
      view();
      body.querySelector("button")?.focus();
    } }));
    body.querySelector("textarea")?.focus();
  }

  if (!features.config) {
    element.hidden = features.traces_only;
    replace(body, h("p", { class: "muted" }, "This console was made without a control, so it does not know the configuration: console.Config.Control."));
    return { element, read: () => Promise.reject(new Error("The configuration is not known here.")) };
  }
  view();
  every(refresh, signal, async () => {
    draw(await readConfig(signal));
    setText(status, "");
  }, (error) => setText(status, error.message));
  return { element, read: () => readConfig(signal) };
}

const reason = ({ changes: allowed }) => (allowed
  ? "It holds for the whole program, from the moment when it is changed. Zero and what is left out are as by default, and -1 is no limit. Changes are logged."
  : "It can only be read here: the console was made without console.Config.AllowChanges.");

function unknownText({ kinds = [], groups = [] }) {
  const list = [kinds.length > 0 && "kinds " + kinds.map((name) => oneLine(name)).join(", "), groups.length > 0 && "groups " + groups.map((name) => oneLine(name)).join(", ")].filter(Boolean);
  return list.length === 0 ? "" : `The program has none of these, at least until now: ${list.join("; ")}. Perhaps they are misspelt.`;
}

// editor is a form with the configuration as a text. done is called with what the program
// has after a change, or with nothing.
function editor({ base, signal, done }) {
  const place = h("div", {});
  const preview = h("div", { "aria-live": "polite" });
  const text = h("textarea", { class: "json", rows: String(Math.min(base.text.split("\n").length + 2, 30)), spellcheck: "false", "aria-label": "Configuration as JSON" });
  text.value = base.text;
  const parse = () => {
    const { unknown, ...config } = JSON.parse(text.value); // The program says unknown, and does not read it.
    return config;
  };
  const compare = () => {
    try {
      const list = diff(base.config, parse());
      replace(preview, list.length > 0 && changes("What you are about to change", list));
    } catch (error) {
      replace(preview, h("p", { class: "warn" }, "This is no JSON yet: " + error.message));
    }
  };
  text.addEventListener("input", compare);
  return h("form", {
    class: "stack", onsubmit: async (event) => {
      event.preventDefault();
      let mine;
      try {
        mine = parse();
      } catch (error) {
        replace(place, h("p", { class: "error", role: "alert" }, "This is no JSON: " + error.message));
        return;
      }
      const saved = await save({ base, mine, place, signal, resolved: done, text: text.value });
      if (saved) done(saved);
    },
  }, text, preview, place, h("div", { class: "buttons" },
    h("button", { type: "submit", class: "primary" }, "Save"),
    h("button", { type: "button", onclick: () => done() }, "Cancel")));
}
