// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import test from "node:test";

import { bytes, duration, fullTime, number, percent, things } from "../../assets/format.js";

const plain = (text) => text.replaceAll("\u00a0", " ");

test("durations have three digits and a unit", () => {
  for (const [nanoseconds, want] of [
    [0, "0 s"], [1, "1 ns"], [999, "999 ns"], [999.6, "1.00 µs"], [1234, "1.23 µs"], [12_345_678, "12.3 ms"], [418e6, "418 ms"],
    [999.6e6, "1.00 s"], [59.94e9, "59.9 s"], [59.96e9, "1 min 0 s"], [61e9, "1 min 1 s"], [3600e9, "1 h 0 min"], [90061e9, "25 h 1 min"], [-5e6, "-5.00 ms"],
  ]) assert.equal(plain(duration(nanoseconds)), want);
});

test("figures have units", () => {
  assert.equal(plain(things(1, "span")), "1 span");
  assert.equal(plain(things(1234, "span")), "1,234 spans");
  assert.equal(plain(things(2, "process", "processes")), "2 processes");
  assert.equal(plain(bytes(16 << 20)), "16 MiB");
  assert.equal(plain(bytes(1500)), "1.46 KiB");
  assert.equal(plain(percent(0.941)), "94 %");
  assert.equal(plain(percent(0.0123)), "1.2 %");
  assert.equal(plain(percent(0.0004)), "< 0.1 %");
  assert.equal(plain(percent(1)), "100 %");
  assert.equal(plain(percent(1.5)), "150 %");
  assert.equal(plain(percent(0.9949)), "99 %");
  assert.equal(plain(percent(0.9951)), "99.5 %");
  assert.equal(plain(percent(0.99995)), "> 99.9 %");
  assert.equal(number(0.25), "0.25");
  assert.equal(number(1234567), "1,234,567");
});

test("the full time has the time as it was given", () => {
  assert.match(fullTime("2026-05-04T03:02:01.987654321Z"), /2026.*\(2026-05-04T03:02:01\.987654321Z\)$/);
});
