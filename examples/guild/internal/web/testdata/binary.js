// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0
"use strict";

// What follows is the third snippet of docs/frames.md.

const magic = [0xf7, 0x57, 0x42, 0xf6, 1]; // The last byte is the version.
const startsWith = (bytes, start) => start.every((byte, i) => bytes[i] === byte);

// wrapBinary returns a frame with a message that is sent within span. The message is a Uint8Array.
function wrapBinary(message, { traceId, spanId, sampled }) {
  const ids = `${traceId}${spanId}${sampled ? "03" : "02"}`.match(/../g).map((hex) => parseInt(hex, 16));
  const frame = new Uint8Array(11 + 3 + ids.length + message.length);
  frame.set([...magic, 0, 3 + ids.length]);
  new DataView(frame.buffer).setUint32(7, message.length);
  frame.set([1, 0, ids.length, ...ids], 11); // Field 1 is the trace.
  frame.set(message, 14 + ids.length);
  return frame;
}

// unwrapBinary returns the message of a frame, and the span that it was sent within, if there is one.
function unwrapBinary(frame) {
  if (!startsWith(frame, magic.slice(0, 4))) return { message: frame }; // Nobody has wrapped it.
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const end = 11 + view.getUint16(5);
  if (frame[4] !== magic[4]) throw new Error("a frame of a later version");
  if (end + view.getUint32(7) !== frame.length) throw new Error("a frame that is cut off");
  let span;
  for (let at = 11, size; at < end; at += 3 + size) {
    size = view.getUint16(at + 1);
    const hex = Array.from(frame.subarray(at + 3, at + 3 + size), (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (frame[at] >= 128) throw new Error("a field of a later version");
    if (frame[at] === 1) span = { traceId: hex.slice(0, 32), spanId: hex.slice(32, 48), sampled: (frame[at + 3 + 24] & 1) === 1 };
  }
  return { message: frame.subarray(end), span };
}
