// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What became of the spans that the console has got.

export function storeRows(totals) {
  const row = (name, value, what, more) => ({ name, value, what, ...more });
  return [
    row("Memory", totals.bytes, "Taken by traces. When it is full, the oldest are forgotten; slow, late and failed ones stay longer.",
      { of: totals.max_bytes, share: totals.max_bytes > 0 ? totals.bytes / totals.max_bytes : 0 }),
    row("Traces kept", totals.traces, "Traces that can be seen now."),
    row("Spans kept", totals.kept, "Spans of these."),
    row("Spans seen", totals.seen, "All spans that have ended since the program began."),
    row("Spans forgotten", totals.forgotten, "They went with their traces, to make room."),
    row("Spans left out", totals.left_out, "Their traces were too large already."),
    row("Duplicates", totals.duplicates, "Their traces had them already."),
    row("Invalid spans", totals.invalid, "They have no valid ID.", { trouble: totals.invalid > 0 }),
    row("Spans dropped", totals.dropped, "They came faster than the console takes them, which is about 20,000 in a second.", { trouble: totals.dropped > 0 }),
  ];
}
