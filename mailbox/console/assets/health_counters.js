// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the counters say: their groups, their values, and which of them are signs of trouble.

// What ends with one of these should not happen, or not often.
const ends = [
  "refused", "dead_letters", "failed", "panics", "goexit", "restarts", "save_failures", "close_failures", "late_replies", "lost",
  "dropped", "shed", "shed.fanouts", "shed.spans", "ignored", "malformed", "oversized", "truncated", "undecodable", "unknown_version",
  "cut", "not_written", "unreached", "unplanned",
];

// These end like that, and are as somebody has configured it.
const configured = new Set(["waybill.propagate.unsampled.dropped", "waybill.propagate.boundary.ignored"]);

export function isTrouble(name) {
  return !configured.has(name) && ends.some((end) => name.endsWith("." + end) || name.endsWith("_" + end));
}

// Counters remembers the values that it was given first, so that it can tell what has come
// since.
export class Counters {
  #begun = false;
  #first = new Map();

  // read returns the groups of what api/metrics says, without histograms, in the order of
  // their names. A group has the name of its package. A counter has
  //
  //   name, unit, one (the unit of a single one) and description,
  //   grows: it only counts up; sums: its values can be added,
  //   rows: of each set of attributes that is not zero {key, labels, value, since},
  //   value and since: the sums of these, or the largest one,
  //   trouble: it is a sign of trouble.
  read(said) {
    const groups = new Map();
    for (const metric of merged(said.metrics ?? [])) {
      const group = metric.name.split(".")[1];
      if (!groups.has(group)) groups.set(group, { name: group, counters: [] });
      groups.get(group).counters.push(this.#counter(metric));
    }
    this.#begun = this.#begun || groups.size > 0;
    return [...groups.values()];
  }

  #counter({ name, unit, description, kind, monotonic, points }) {
    const grows = kind === "sum" && monotonic === true;
    const all = [...points].map(([key, { labels, value }]) => ({ key, labels, value, since: grows ? this.#since(name + key, value) : 0 }));
    const sum = (of) => all.reduce((total, row) => total + row[of], 0);
    const value = kind === "sum" ? sum("value") : Math.max(0, ...all.map((row) => row.value));
    return {
      name, unit: unitText(unit), one: unitText(unit, 1), description, grows, sums: kind === "sum", value, since: sum("since"),
      rows: all.filter((row) => row.value !== 0), trouble: grows && value > 0 && isTrouble(name),
    };
  }

  #since(key, value) {
    const first = this.#first.get(key);
    if (first === undefined) this.#first.set(key, this.#begun ? 0 : value);
    else if (value < first) this.#first.set(key, 0); // The program has begun anew.
    return value - this.#first.get(key);
  }
}

// merged returns the metrics that are no histograms, with their points by their attributes.
// Several meter providers may have the same metric.
function merged(metrics) {
  const found = new Map();
  for (const { points, ...metric } of metrics) {
    if (metric.kind === "histogram") continue;
    if (!found.has(metric.name)) found.set(metric.name, { ...metric, points: new Map() });
    const all = found.get(metric.name).points;
    for (const { attributes, value } of points ?? []) {
      const key = JSON.stringify(attributes), number = Number(value);
      if (!Number.isFinite(number)) continue;
      const before = all.get(key)?.value;
      const joined = before === undefined ? number : metric.kind === "sum" ? before + number : Math.max(before, number);
      all.set(key, { labels: attributes.map(label), value: joined });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

// label makes "kind guild" of an attribute "waybill.process.kind", and "service guild" of
// "service.name".
function label([key, value]) {
  const what = key.replace(/\.name$/, "").split(".").at(-1);
  return [what.replaceAll("_", " "), value === "" ? "(none)" : value];
}

// unitText makes "messages" of "{message}", or "message" of one. A share has the unit 1.
export function unitText(unit, n) {
  const [, noun] = /^\{(.*)\}$/.exec(unit) ?? [];
  if (noun === undefined) return unit;
  if (n === 1) return noun;
  return noun.endsWith("s") ? noun + "es" : noun.endsWith("y") ? noun.slice(0, -1) + "ies" : noun + "s";
}
