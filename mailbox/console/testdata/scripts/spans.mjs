// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Spans of tests, as the service sends them.

export function span(id, props = {}) {
  return {
    span_id: id, parent_id: "", depth: 0, service: "guild", name: id, kind: "consumer", from_ns: 0, duration_ns: 10,
    wait_ns: 0, network_ns: 0, weight: null, late: "", error: false, links: 0, events: 0, process: "", ...props,
  };
}

// names returns the keys of nodes, and "fold" for each fold.
export function names(items) { return items.map((item) => (item.fold ? "fold" : item.key)); }

// random returns a generator of numbers from 0 to 1 that begins at seed (xorshift).
export function random(seed) {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

// someSpans returns n spans in depth-first order, of a few names and any depth.
export function someSpans(n, chance) {
  let depth = 0;
  return Array.from({ length: n }, (_, i) => {
    depth = Math.max(0, Math.min(depth + 1, Math.floor(chance() * 6)));
    const from = Math.floor(chance() * 1000);
    return span(`s${i}`, {
      depth, name: `name ${Math.floor(chance() * 2)}`, from_ns: from, duration_ns: Math.floor(chance() * 100),
      wait_ns: chance() < 0.3 ? Math.floor(chance() * 50) : 0, error: chance() < 0.1, late: chance() < 0.1 ? "slow" : "",
    });
  });
}
