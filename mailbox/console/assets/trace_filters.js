// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What to find in the list of traces.
import { h, replace } from "./dom.js";

const lengths = ["1ms", "10ms", "50ms", "100ms", "500ms", "1s", "5s"];
const reasons = [
  ["", "on time or late"], ["any", "late for any reason"], ["slow", "slow"], ["waited", "waited"], ["error", "error"], ["panic", "panic"],
  ["refused_full", "refused: full"], ["refused_stopped", "refused: stopped"], ["refused_cancelled", "refused: cancelled"],
  ["dead_letter_killed", "dead letter: killed"], ["dead_letter_failed", "dead letter: failed"],
  ["dead_letter_dropped", "dead letter: dropped"], ["dead_letter_expired", "dead letter: expired"], ["late_reply", "late reply"],
];
const patience = 250; // milliseconds after the last key

export class TraceFilters {
  // changed is called when a person has changed something.
  constructor(query, changed) {
    this.changed = changed;
    this.services = h("datalist", { id: "trace-services" });
    this.known = new Set();
    this.fields = {
      service: h("input", { type: "search", list: "trace-services", maxlength: 100, autocomplete: "off", size: 14 }),
      name: h("input", { type: "search", maxlength: 100, autocomplete: "off", size: 20, placeholder: "part of a span's name" }),
      at_least: h("input", { type: "search", list: "trace-lengths", maxlength: 20, autocomplete: "off", size: 8, placeholder: "50ms" }),
      late: h("select", {}, reasons.map(([value, text]) => h("option", { value }, text))),
      failed: h("input", { type: "checkbox" }),
    };
    this.limit = "";
    this.said = h("p", { class: "error", role: "alert" });
    this.element = h("form", { class: "toolbar", role: "search", "aria-label": "Find traces", onsubmit: (event) => event.preventDefault() },
      h("label", {}, "Service", this.fields.service),
      h("label", {}, "Span", this.fields.name),
      h("label", {}, "Took at least", this.fields.at_least),
      h("label", {}, "Messages", this.fields.late),
      h("label", { class: "check" }, this.fields.failed, "Failed"),
      this.services, h("datalist", { id: "trace-lengths" }, lengths.map((value) => h("option", { value }))), this.said);
    this.element.addEventListener("input", () => this.soon());
    this.read(query);
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.element.isConnected && this.changed(), patience);
  }

  // read takes the filters of a query.
  read(query) {
    for (const [name, field] of Object.entries(this.fields)) {
      const value = query.get(name) ?? "";
      if (field.type === "checkbox") {
        field.checked = value === "true";
        continue;
      }
      if (field === this.fields.late && ![...field.options].some((option) => option.value === value)) {
        field.append(h("option", { value }, value)); // A fan-out may have reasons of its own.
      }
      field.value = value;
    }
    this.limit = query.get("limit") ?? "";
  }

  // query returns the filters as the program takes them.
  query() {
    const { service, name, at_least: atLeast, late, failed } = this.fields;
    return {
      service: service.value, name: name.value, at_least: atLeast.value.replaceAll(/\s/g, ""), late: late.value,
      failed: failed.checked, limit: this.limit,
    };
  }

  any() {
    return Object.entries(this.query()).some(([name, value]) => name !== "limit" && value);
  }

  clear() {
    this.read(new URLSearchParams());
    this.fields.service.focus();
    this.changed();
  }

  set(name, value) {
    if (name === "limit") this.limit = value;
    else this.fields[name].value = value;
    this.changed();
  }

  // offer lets a person choose among the services of the list.
  offer(traces) {
    const before = this.known.size;
    for (const trace of traces) {
      for (const service of trace.services) if (this.known.size < 100) this.known.add(service);
    }
    if (this.known.size !== before) {
      replace(this.services, [...this.known].sort().map((value) => h("option", { value })));
    }
  }

  // problem says what is wrong with the filters, or nothing.
  problem(text) {
    if (this.said.textContent !== text) this.said.textContent = text;
    this.said.hidden = text === "";
  }
}
