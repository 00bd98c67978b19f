// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Stacking: what several things did in some minutes, one above the other.

// others is the key of all that has no series of its own.
export const others = Symbol("others");

// stack chooses the largest series and stacks them. columns is what was done, column by
// column: each is {parts: Map of key to value, total}. total may be more than the
// parts, and is their sum by default. It returns
//
//   keys:    of the series, the largest first, at most so many, and then others if it has anything
//   columns: for each, {segments: [{key, from, to}], total}
//   max:     the largest total
//   places:  a Map of key to a number below atMost, by which it gets its colour
//
// before is the places of the drawing before: a key keeps its place as long as it is
// among the largest.
export function stack(columns, atMost, before = new Map()) {
  const sums = new Map();
  for (const { parts } of columns) {
    for (const [key, value] of parts) {
      if (value > 0) sums.set(key, (sums.get(key) ?? 0) + value);
    }
  }
  const largest = [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a) || (String(a) < String(b) ? -1 : 1)).slice(0, atMost);
  const stacked = columns.map(({ parts, total }) => {
    const segments = [];
    let at = 0;
    for (const key of largest) {
      const value = parts.get(key) ?? 0;
      if (!(value > 0)) continue;
      segments.push({ key, from: at, to: at + value });
      at += value;
    }
    const sum = Math.max(total ?? [...parts.values()].reduce((all, value) => all + Math.max(value, 0), 0), at);
    if (sum - at > 1e-9 * sum) segments.push({ key: others, from: at, to: sum });
    return { segments, total: sum };
  });
  const rest = stacked.some(({ segments }) => segments.at(-1)?.key === others);
  return {
    keys: rest ? [...largest, others] : largest,
    places: places(largest, before, atMost),
    columns: stacked,
    max: stacked.reduce((max, { total }) => Math.max(max, total), 0),
  };
}

function places(keys, before, atMost) {
  const given = new Map();
  const free = new Set(Array.from({ length: atMost }, (_, i) => i));
  for (const key of keys) {
    const place = before.get(key);
    if (place !== undefined && free.delete(place)) given.set(key, place);
  }
  for (const key of keys) {
    if (given.has(key)) continue;
    const [place] = free;
    free.delete(place);
    given.set(key, place);
  }
  return given;
}
