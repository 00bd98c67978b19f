// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { barLabel } from "../../assets/bar_label.js";
import { makeTree } from "../../assets/trace_tree.js";
import { span } from "./spans.mjs";

const ms = 1e6;
const view = { range: { from: 0, to: 100 * ms }, width: 1000 };

// at returns what is written at the bar of a span from one time to another in milliseconds,
// which its message waited before.
function at(from, to, { wait = 0, width = 1000, range = view.range, ...props } = {}) {
  const [node] = makeTree([span("a", { from_ns: from * ms, duration_ns: (to - from) * ms, wait_ns: wait * ms, ...props })]).nodes;
  const { kind, style, work, waited } = barLabel(node, { range, width });
  return [kind, style, [work, waited].filter(Boolean).join(" ").replaceAll("\u00a0", " ")];
}

test("behind a bar, or before it", () => {
  assert.deepEqual(at(10, 20), ["", { left: "20%" }, "10.0 ms"]);
  assert.deepEqual(at(10, 20, { wait: 5 }), ["", { left: "20%" }, "10.0 ms waited 5.00 ms"]);
  assert.deepEqual(at(90, 100), ["", { right: "10%" }, "10.0 ms"]);
  assert.deepEqual(at(60, 90, { wait: 10 }), ["", { right: "50%" }, "30.0 ms waited 10.0 ms"]);
  assert.deepEqual(at(10, 20, { wait: 0.0009 }), ["", { left: "20%" }, "10.0 ms"], "so short a wait is not worth a word");
});

test("without the waiting where there is little place", () => {
  assert.deepEqual(at(10, 90, { wait: 10 }), ["", { left: "90%" }, "80.0 ms"]);
  assert.deepEqual(at(12, 99, { wait: 2 }), ["", { right: "90%" }, "87.0 ms"]);
});

test("on a bar", () => {
  assert.deepEqual(at(0, 100), ["wf-on-work", { right: "0%" }, "100 ms"]);
  assert.deepEqual(at(40, 99, { wait: 39 }), ["wf-on-work", { right: "1%" }, "59.0 ms waited 39.0 ms"]);
  assert.deepEqual(at(97, 100, { wait: 97 }), ["wf-on-bar", { right: "3%" }, "3.00 ms waited 97.0 ms"], "the work stays to be seen");
  assert.deepEqual(at(5, 100, { wait: 5, width: 100 }), ["wf-on-bar", { right: "0%" }, "95.0 ms waited 5.00 ms"]);
});

test("what is not in the range says where it is", () => {
  const range = { from: 50 * ms, to: 60 * ms };
  assert.deepEqual(at(10, 20, { range }), ["wf-earlier", { left: "0%" }, "10.0 ms"]);
  assert.deepEqual(at(70, 80, { range, wait: 5 }), ["wf-later", { right: "0%" }, "10.0 ms waited 5.00 ms"]);
  assert.deepEqual(at(10, 90, { range }), ["wf-on-work", { right: "0%" }, "80.0 ms"], "this one goes through all of it");
});

test("a message that was never handled", () => {
  assert.deepEqual(at(10, 20, { wait: 10, unhandled: true }), ["", { left: "20%" }, "never handled, after 10.0 ms"]);
  assert.deepEqual(at(0, 100, { unhandled: true }), ["wf-on-bar", { right: "0%" }, "never handled, after 100 ms"]);
});
