// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { itemLabel, lateText, oneLine, pathShares, recipients, weightText } from "../../assets/span_text.js";
import { itemsBelow, makeTree } from "../../assets/trace_tree.js";
import { span } from "./spans.mjs";

test("a text in one line", () => {
  assert.equal(oneLine("GET /guilds"), "GET /guilds");
  assert.equal(oneLine("one\r\ntwo\nthree\u2028four"), "one⏎two⏎three⏎four");
  assert.equal(oneLine("a\u202Egnp.exe\u0000\u001b[31m\u2067"), "a·gnp.exe··[31m·");
  assert.equal(oneLine("x".repeat(10_000)), "x".repeat(160) + "…");
  assert.equal(oneLine("x".repeat(160)), "x".repeat(160));
  assert.equal(oneLine("😀😀😀", 2), "😀😀…", "no character is cut in half");
  assert.equal(oneLine("می\u200cخواهم"), "می\u200cخواهم", "what joins letters stays");
  assert.equal(oneLine("\r\n".repeat(1000), 10), "⏎".repeat(10) + "…");
});

test("how many a span stands for", () => {
  assert.equal(weightText(null), "");
  assert.equal(weightText(1), "");
  assert.equal(weightText(1000), "× 1,000");
  assert.equal(weightText(2.5), "× 2.50");
  assert.equal(weightText(0), "uncounted");
  assert.equal(recipients(1e308), "1.00e+308");
});

test("what a reader of the screen says", () => {
  const label = (props, path = []) => itemLabel(makeTree([span("a", props)], path).nodes[0]).replaceAll("\u00a0", " ");
  assert.equal(label({ name: "guild MessageCreate", wait_ns: 3e6, duration_ns: 1.2e6, weight: 1000, error: true }),
    "guild MessageCreate, service guild, waited 3.00 ms, worked 1.20 ms, stands for 1,000 recipients, failed");
  assert.equal(label({ name: "x", service: "", process: "session 7", network_ns: 5e6, duration_ns: 0, weight: 0, late: "refused_full", links: 2 },
    [{ span_id: "a", from_ns: 0, to_ns: 1, what: "work" }]),
  "x, process session 7, on the network for 5.00 ms, worked 0 s, uncounted, late span: refused full, on the critical path, 2 links");
  assert.equal(label({ name: "GET /", duration_ns: 1e6, restarted: true, parent_missing: true }), "GET /, service guild, took 1.00 ms, after a restart, its parent is not here");
  assert.match(label({ name: "" }), /^span without a name, /);
  assert.ok(label({ name: "n".repeat(10_000), service: "s".repeat(10_000) }).length < 500);
});

test("what a reader of the screen says of a message that was never handled", () => {
  const label = itemLabel(makeTree([span("a", { unhandled: true, wait_ns: 5e6, duration_ns: 5e6, error: true, late: "refused_full" })]).nodes[0]);
  assert.equal(label.replaceAll("\u00a0", " "), "a, service guild, never handled, after 5.00 ms, failed, late span: refused full");
});

test("what a reader of the screen says of a fold", () => {
  const tree = makeTree(Array.from({ length: 20 }, (_, i) => span(`s${i}`, { name: "MessageCreate", duration_ns: (20 - i) * 1e6, weight: 10, late: i > 2 && i < 9 ? "slow" : "" })));
  assert.equal(itemLabel(itemsBelow(tree, null).at(-1)).replaceAll("\u00a0", " "),
    "16 more MessageCreate, service guild, took 1.00 ms to 20.0 ms, stand for 160 recipients, 2 late spans");
});

test("why a span is late", () => {
  assert.equal(lateText("dead_letter_killed"), "dead letter killed");
  assert.ok(lateText("<b>".repeat(100)).length <= 41);
});

test("where the time of the critical path went", () => {
  const step = (what, from, to) => ({ what, from_ns: from, to_ns: to });
  assert.deepEqual(pathShares([step("work", 0, 10), step("wait", 10, 80), step("work", 80, 95), step("gap", 95, 100), step("network", 5, 5), step("<b>", 0, 9), step("work", 9, 3)]), [
    { what: "wait", ns: 70, share: 0.7 }, { what: "work", ns: 25, share: 0.25 }, { what: "gap", ns: 5, share: 0.05 },
  ]);
  assert.deepEqual(pathShares([]), []);
});
