// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0
"use strict";

// What follows is the first snippet of docs/frames.md.

const marker = "waybill:envelope";
const traceparentForm = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

const randomHex = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)),
  (byte) => byte.toString(16).padStart(2, "0")).join("");

// newSpan continues the trace of parent, or begins one.
const newSpan = (parent, sampled = true) => ({
  traceId: parent?.traceId ?? randomHex(16), spanId: randomHex(8), sampled: parent?.sampled ?? sampled,
});

// wrap returns the text of a frame with a message that is sent within span.
const wrap = (message, { traceId, spanId, sampled }) => JSON.stringify({
  [marker]: { version: 1, traceparent: `00-${traceId}-${spanId}-${sampled ? "03" : "02"}` }, message,
});

// unwrap returns the message of a frame, and the span that it was sent within, if there is one.
function unwrap(text) {
  const frame = JSON.parse(text);
  const header = frame?.[marker];
  if (header === undefined) return { message: frame }; // Nobody has wrapped it.
  if (header?.version !== 1 || header.crit?.length) throw new Error("an envelope of a later version");
  const [, traceId, spanId, flags] = traceparentForm.exec(header.traceparent) ?? [];
  return { message: frame.message, span: traceId && { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 } };
}
