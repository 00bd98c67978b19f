// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "../../assets/sortable.js";
import { all } from "../../assets/timings_chart.js";
import { columnsOf } from "../../assets/timings_section.js";
import { meanWait, processName, row } from "../../assets/timings_text.js";

const measured = { count: 1200, timed: 1200, share: 0.932, busy_ns: 34_484e6, longest_ns: 1_212e6, waited_ns: 2_400e9, longest_wait_ns: 14_020e6 };
const plain = (text) => text.replaceAll("\u00a0", " ");

test("estimates are marked, and what was seen is not", () => {
  assert.deepEqual(Object.values(row(measured)).map(plain), ["93 %", "34.5 s", "1,200", "1.21 s", "2.00 s", "14.0 s"]);
  assert.deepEqual(Object.values(row({ ...measured, timed: 12 })).map(plain), ["~93 %", "~34.5 s", "~1,200", "1.21 s", "~2.00 s", "14.0 s"]);
  assert.equal(meanWait({ count: 0, waited_ns: 0 }), 0);
});

test("a process without an ID has a name", () => {
  assert.equal(processName("guild", "14"), "guild 14");
  assert.equal(processName("guild", ""), "guild without an ID");
});

test("minutes are columns", () => {
  const minutes = Array.from({ length: 15 }, (_, i) => ({ begin: `2026-03-04T12:${10 + i}:00Z`, length_ns: i === 14 ? 20e9 : 60e9, share: i < 12 ? 0 : i }));
  const processes = [{ kind: "guild", id: "14", shares: minutes.map((_, i) => i / 10) }];
  const columns = columnsOf({ minutes, processes });
  assert.equal(columns.length, 5, "minutes before the first are left out, but five are there");
  assert.deepEqual(columns.map((c) => c.running), [false, false, false, false, true]);
  assert.deepEqual([...columns[4].parts], [['["guild","14"]', 1.4]]);
  assert.equal(columns[4].total, 14);
  assert.deepEqual([...columns[4].estimated], []);
  minutes[3].share = 1;
  assert.equal(columnsOf({ minutes, processes }).length, 12);
  assert.equal(columnsOf({ minutes: minutes.map((m) => ({ ...m, share: 0 })), processes: [] }).length, 5);
  assert.deepEqual(columnsOf({ minutes: [], processes: [] }), []);
  const some = columnsOf({ minutes: minutes.map((m) => ({ ...m, estimated: true })), processes: [...processes, { kind: "session", id: "", shares: [], estimated: true }] });
  assert.deepEqual([...some[0].estimated], ['["session",""]', all], "a guild is exact beside sessions that are not");
});

test("rows are sorted, and what is missing comes last", () => {
  const sorted = (values, descending) => [...values].sort((a, b) => compare(a, b, descending));
  assert.deepEqual(sorted([3, undefined, 1, NaN, 2], false).slice(0, 3), [1, 2, 3]);
  assert.deepEqual(sorted([3, NaN, 1, 2], true), [3, 2, 1, NaN]);
  assert.deepEqual(sorted(["b 10", "a", "b 9"], false), ["a", "b 9", "b 10"]);
  assert.deepEqual(sorted(["b 10", "a", "b 9"], true), ["b 10", "b 9", "a"]);
});
