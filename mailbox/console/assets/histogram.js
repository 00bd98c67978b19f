// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Histograms are sums of buckets. Here they are added, subtracted, and asked for quantiles.
//
// A histogram is {bounds, counts, count, sum, min, max, exemplars}. Bucket i has the values
// above bounds[i-1] and up to bounds[i]; the last bucket has no bound. Inside a bucket,
// nobody knows where the values are: they are taken to be spread evenly.

// histogram reads a point of the console's metrics.
export function histogram(point) {
  return {
    bounds: (point.bounds ?? []).map(Number),
    counts: point.counts ?? [],
    count: point.count ?? 0,
    sum: Number(point.sum ?? 0),
    min: point.min === undefined ? undefined : Number(point.min),
    max: point.max === undefined ? undefined : Number(point.max),
    exemplars: point.exemplars ?? [],
  };
}

// edges returns where bucket i of h begins and ends, as near as h knows. A minimum or
// maximum that lies outside of a bucket with two bounds contradicts it, and is not taken.
function edges(h, i) {
  const { bounds, min, max } = h;
  let low = i > 0 ? bounds[i - 1] : Math.min(bounds[0] ?? 0, 0);
  let high = i < bounds.length ? bounds[i] : Math.max(max ?? low, low);
  if (max !== undefined && max < high && max >= low) high = max;
  if (min !== undefined && (i === 0 || min > low) && min <= high) low = min;
  return [low, high];
}

const same = (a, b) => a.length === b.length && a.every((bound, i) => bound === b[i]);

// rebucket returns the counts of h in the buckets of other bounds. A bucket that lies in
// several of those is divided as if its values were spread evenly.
export function rebucket(h, bounds) {
  if (same(h.bounds, bounds)) return [...h.counts];
  const counts = new Array(bounds.length + 1).fill(0);
  h.counts.forEach((count, i) => {
    if (count === 0) return;
    const [low, high] = edges(h, i);
    let from = low;
    for (let at = bounds.findIndex((bound) => bound >= high || bound > low); ; at++) {
      if (at < 0) at = bounds.length;
      const to = at < bounds.length ? Math.min(bounds[at], high) : high;
      counts[at] += high > low ? (count * Math.max(to - from, 0)) / (high - low) : count;
      from = to;
      if (to >= high) return;
    }
  });
  return counts;
}

const least = (a, b) => (a === undefined ? b : b === undefined ? a : Math.min(a, b));
const most = (a, b) => (a === undefined ? b : b === undefined ? a : Math.max(a, b));

// add returns the histogram of the values of both.
export function add(a, b) {
  const bounds = same(a.bounds, b.bounds) ? a.bounds : [...new Set([...a.bounds, ...b.bounds])].sort((x, y) => x - y);
  const more = rebucket(b, bounds);
  return {
    bounds,
    counts: rebucket(a, bounds).map((count, i) => count + more[i]),
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: a.count === 0 ? b.min : b.count === 0 ? a.min : least(a.min, b.min),
    max: a.count === 0 ? b.max : b.count === 0 ? a.max : most(a.max, b.max),
    exemplars: [...a.exemplars, ...b.exemplars],
  };
}

// since returns the histogram of the values that came after before. If there are fewer
// values now, the program has begun anew, and all of them came after. What was
// the least and the most of them is not known.
export function since(now, before) {
  if (before === undefined || now.count < before.count) return now;
  const gone = rebucket(before, now.bounds);
  return {
    ...now,
    counts: now.counts.map((count, i) => Math.max(count - (gone[i] ?? 0), 0)),
    count: now.count - before.count,
    sum: now.sum - before.sum,
    min: undefined,
    max: undefined,
  };
}

// quantile returns {value, low, high, open} of the value below which share q of h lies,
// interpolated in its bucket, which is from low to high. open says that the bucket has
// no end, so that the true value may be above. It returns undefined if h has no values.
export function quantile(h, q) {
  const total = h.counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) return undefined;
  let below = 0;
  for (let i = 0; i < h.counts.length; i++) {
    const count = h.counts[i];
    if (count > 0 && below + count >= q * total * (1 - 1e-12)) {
      const [low, high] = edges(h, i);
      const share = Math.min(Math.max((q * total - below) / count, 0), 1);
      return { value: low + (high - low) * share, low, high, open: i === h.bounds.length && h.max === undefined };
    }
    below += count;
  }
  return undefined;
}
