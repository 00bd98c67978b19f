// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { around, pan, percent, piece, ticks, within, zoom } from "../../assets/time_scale.js";
import { random } from "./spans.mjs";

const ms = 1e6;
const labels = (from, to, most) => ticks({ from, to }, most).map(({ label }) => label);

test("times on an axis", () => {
  assert.deepEqual(labels(0, 418 * ms, 5), ["0 ms", "100 ms", "200 ms", "300 ms", "400 ms"]);
  assert.deepEqual(labels(0, 2.5e9, 6), ["0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s", "2.5 s"]);
  assert.deepEqual(labels(-5 * ms, 10 * ms, 4), ["-5 ms", "0 ms", "5 ms", "10 ms"]);
  assert.deepEqual(labels(152.4 * ms, 152.42 * ms, 4), ["152.400 ms", "152.405 ms", "152.410 ms", "152.415 ms", "152.420 ms"]);
  assert.deepEqual(labels(0, 1, 2), ["0 ns", "0.5 ns", "1.0 ns"]);
  assert.deepEqual(labels(0, 7.2e12, 4), ["0 s", "2,000 s", "4,000 s", "6,000 s"]);
  assert.deepEqual(labels(9e9, 9e9 + 100, 2), ["9,000,000.00 µs", "9,000,000.05 µs", "9,000,000.10 µs"]);
});

test("times on any axis are round, few and in it", () => {
  for (let round = 0; round < 500; round++) {
    const seed = Math.floor(Math.random() * 2 ** 31), chance = random(seed);
    const from = chance() < 0.5 ? 0 : 10 ** (chance() * 11), to = from + 10 ** (2 + chance() * 10), most = 1 + Math.floor(chance() * 12);
    const list = ticks({ from, to }, most), step = list.length > 1 ? list[1].at - list[0].at : 0;
    assert.ok(list.length <= most + 1, `seed ${seed}: ${list.length} of ${most}`);
    assert.ok(most < 3 || list.length >= 1, `seed ${seed}: none`);
    assert.equal(new Set(list.map(({ label }) => label)).size, list.length, `seed ${seed}: two have one label`);
    for (const { at, label } of list) {
      assert.ok(at >= from - (to - from) * 1e-6 && at <= to + (to - from) * 1e-6, `seed ${seed}: ${label} is outside`);
      const [value, unit] = label.replaceAll(",", "").split(" ");
      const ns = Number(value) * { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9 }[unit];
      assert.ok(Math.abs(ns - at) <= Math.max(step * 1e-3, at * 1e-12), `seed ${seed}: ${label} is at ${at}`);
    }
  }
});

test("where times are", () => {
  assert.equal(percent({ from: 10, to: 20 }, 15), 50);
  assert.deepEqual(piece({ from: 0, to: 100 }, 10, 30), { left: 10, width: 20 });
  assert.deepEqual(piece({ from: 0, to: 100 }, -1e9, 1e9), { left: -1, width: 102 }, "it is cut outside");
  assert.equal(piece({ from: 0, to: 100 }, 101, 200), null);
  assert.equal(piece({ from: 0, to: 100 }, -20, -10), null);
  assert.deepEqual(piece({ from: 0, to: 100 }, 30, 10), { left: 30, width: 0 });
});

const all = { from: 0, to: 1e6 };

test("zooming and moving", () => {
  assert.deepEqual(zoom(all, all, 0.5), { from: 250_000, to: 750_000 });
  assert.deepEqual(zoom(all, all, 0.5, 0), { from: 0, to: 500_000 });
  assert.deepEqual(zoom(all, all, 2), all, "nothing is outside of the trace");
  assert.deepEqual(zoom(all, { from: 0, to: 400 }, 0.001), { from: 150, to: 250 }, "there is a shortest range");
  assert.deepEqual(pan(all, { from: 0, to: 1000 }, 0.25), { from: 250, to: 1250 });
  assert.deepEqual(pan(all, { from: 100, to: 1100 }, -1), { from: 0, to: 1000 });
  assert.deepEqual(pan(all, { from: 999_000, to: 1e6 }, 5), { from: 999_000, to: 1e6 });
  assert.deepEqual(around(all, 1000, 3000), { from: 700, to: 3300 });
  assert.deepEqual(around(all, 0, 0), { from: 0, to: 200 });
  assert.deepEqual(within(all, { from: 5, to: 5 }), { from: 5, to: 105 });
});

test("any zoom stays within the trace, and keeps what is at its center", () => {
  for (let round = 0; round < 500; round++) {
    const seed = Math.floor(Math.random() * 2 ** 31), chance = random(seed), first = within(all, { from: chance() * 1e6, to: chance() * 1e6 });
    const center = first.from + chance() * (first.to - first.from), factor = 10 ** (chance() * 4 - 2);
    const next = zoom(all, first, factor, center), slack = 1e-6;
    assert.ok(next.from >= all.from - slack && next.to <= all.to + slack && next.to - next.from >= 100 - slack, `seed ${seed}`);
    if (next.from > all.from + 1 && next.to < all.to - 1) {
      assert.ok(Math.abs(percent(next, center) - percent(first, center)) < 1e-3, `seed ${seed}`);
    }
  }
});
