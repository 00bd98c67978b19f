// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Each service has a colour, the same on all pages until the page is loaded anew.
import { h } from "./dom.js";

const colours = 12; // --s0 to --s11
const taken = new Map();

// colour returns the colour of a service, as a value in CSS.
export function colour(service) {
  let i = taken.get(service);
  if (i === undefined) {
    i = preferred(service);
    const used = new Set(taken.values());
    for (let n = 0; n < colours && used.has(i); n++) i = (i + 1) % colours;
    taken.set(service, i);
  }
  return "var(--s" + i + ")";
}

// preferred is where the name of a service leads (FNV-1a), so that it mostly has the same
// colour after the page was loaded anew.
function preferred(service) {
  let hash = 2166136261;
  for (const unit of service) hash = Math.imul(hash ^ unit.codePointAt(0), 16777619);
  return (hash >>> 0) % colours;
}

// chip returns the name of a service beside its colour.
export function chip(service) {
  return h("span", { class: "chip", title: service || "no service.name" },
    h("span", { class: "dot", style: { background: colour(service) } }), service || "unnamed");
}
