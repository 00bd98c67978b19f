// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Reading the metrics of api/metrics, by the value of one of their attributes.

import { add, histogram } from "./histogram.js";

// Metrics finds metrics by name in what api/metrics says. A metric that is not there has
// no values, and has says so.
export class Metrics {
  #byName = new Map();

  constructor(said) {
    this.attached = said?.attached === true;
    this.time = Date.parse(said?.time ?? "") || 0; // in milliseconds
    this.leftOut = said?.left_out ?? 0;
    this.problem = said?.problem ?? "";
    for (const metric of said?.metrics ?? []) {
      const found = this.#byName.get(metric.name) ?? [];
      this.#byName.set(metric.name, [...found, metric]);
    }
  }

  has(name) {
    return this.#byName.has(name);
  }

  // Each point of the metric, with the values of its attributes.
  *points(name) {
    for (const metric of this.#byName.get(name) ?? []) {
      for (const point of metric.points ?? []) yield { ...point, attributes: new Map(point.attributes ?? []) };
    }
  }

  // values returns the sums of a metric by the value of an attribute. join makes one value
  // of two; it adds them by default.
  values(name, attribute, join = (a, b) => a + b) {
    const found = new Map();
    for (const point of this.points(name)) {
      const key = point.attributes.get(attribute);
      if (key === undefined || point.value === undefined) continue;
      const value = Number(point.value);
      found.set(key, found.has(key) ? join(found.get(key), value) : value);
    }
    return found;
  }

  // histograms returns the histograms of a metric by the value of an attribute.
  histograms(name, attribute) {
    const found = new Map();
    for (const point of this.points(name)) {
      const key = point.attributes.get(attribute);
      if (key === undefined || point.counts === undefined) continue;
      const read = histogram(point);
      found.set(key, found.has(key) ? add(found.get(key), read) : read);
    }
    return found;
  }
}
