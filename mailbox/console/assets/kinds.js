// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the metrics tell of each kind of processes: as it is now, and since a short while ago.

import { since } from "./histogram.js";

const kindKey = "waybill.process.kind";
const reasonKey = "waybill.mailbox.reason";

// gauges are how things are now. counters only grow, and have a rate.
export const gauges = ["processes", "queued", "waiting", "fullest", "utilization", "oldest"];
export const counters = ["accepted", "handled", "failed", "panics", "refused", "dead_letters", "restarts"];
export const histograms = { wait: "waybill.mailbox.queue.duration", handling: "waybill.mailbox.handling.duration" };

const metricOf = (name) => "waybill.mailbox." + name;

// snapshot reads what there is. Where several systems have a kind of one name, their
// numbers are added, and of the fullest mailbox and the oldest message the worst is taken.
export function snapshot(metrics) {
  const found = { time: metrics.time, has: new Set(), kinds: new Map() };
  const put = (measure, values) => {
    for (const [kind, value] of values) {
      if (!found.kinds.has(kind)) found.kinds.set(kind, {});
      found.kinds.get(kind)[measure] = value;
      found.has.add(measure);
    }
  };
  const worst = new Set(["fullest", "utilization", "oldest"]);
  for (const name of [...gauges, ...counters]) {
    if (name !== "panics") put(name, metrics.values(metricOf(name), kindKey, worst.has(name) ? Math.max : undefined));
  }
  put("panics", panics(metrics));
  for (const [name, metric] of Object.entries(histograms)) put(name, metrics.histograms(metric, kindKey));
  return found;
}

// panics are the failures whose reason is a panic. A program that does not tell reasons
// of failures has none of them.
function panics(metrics) {
  const found = new Map();
  for (const { attributes, value } of metrics.points(metricOf("failed"))) {
    const kind = attributes.get(kindKey);
    const reason = attributes.get(reasonKey);
    if (kind === undefined || reason === undefined) continue;
    found.set(kind, (found.get(kind) ?? 0) + (reason === "panic" ? Number(value) : 0));
  }
  return found;
}

// History has the snapshots of the last while.
export class History {
  #snapshots = [];

  // keep is for how many milliseconds a snapshot is kept.
  constructor(keep = 60_000) {
    this.keep = keep;
  }

  // add takes a snapshot. One that is not newer than the last is the same once more.
  add(next) {
    const last = this.#snapshots.at(-1);
    if (last && next.time <= last.time) return;
    this.#snapshots.push(next);
    while (this.#snapshots.length > 2 && this.#snapshots[0].time < next.time - this.keep) this.#snapshots.shift();
  }

  // seconds is how long ago the first of the snapshots was taken, as of the last one.
  get seconds() {
    return this.#snapshots.length < 2 ? 0 : (this.#snapshots.at(-1).time - this.#snapshots[0].time) / 1000;
  }

  has(measure) {
    return this.#snapshots.at(-1)?.has.has(measure) === true;
  }

  // rows returns what is known of each kind: each measure by its name, rates by the names
  // of counters, and recent, the histograms of what came since the first snapshot.
  rows() {
    const [first, last] = [this.#snapshots[0], this.#snapshots.at(-1)];
    if (!last) return [];
    return [...last.kinds].map(([kind, now]) => {
      const row = { kind, ...now, rates: {}, recent: {} };
      if (last === first) return row;
      const before = first.kinds.get(kind) ?? {};
      for (const name of counters) {
        // A kind that was not there before began at zero. A count that has fallen began anew.
        if (now[name] === undefined) continue;
        const was = before[name] ?? 0;
        row.rates[name] = (now[name] - (now[name] < was ? 0 : was)) / this.seconds;
      }
      for (const name of Object.keys(histograms)) {
        if (now[name]) row.recent[name] = since(now[name], before[name]);
      }
      return row;
    });
  }
}
