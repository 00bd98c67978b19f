// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What follows is the second snippet of docs/frames.md.

import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";

const marker = "waybill:envelope";
const setter = { set(header, key, value) { header[key] = value; } };
const getter = {
  keys: (header) => Object.keys(header),
  get: (header, key) => (typeof header[key] === "string" ? header[key] : undefined),
};

// wrap returns the text of a frame with a message that is sent within ctx.
function wrap(message, ctx = context.active()) {
  const header = { version: 1 };
  propagation.inject(ctx, header, setter);
  return JSON.stringify({ [marker]: header, message });
}

// unwrap returns the message of a frame, and a context with the trace and the baggage of its sender.
function unwrap(text) {
  const frame = JSON.parse(text);
  const header = frame?.[marker];
  if (header === undefined) return { message: frame, ctx: ROOT_CONTEXT }; // Nobody has wrapped it.
  if (header?.version !== 1 || header.crit?.length) throw new Error("an envelope of a later version");
  return { message: frame.message, ctx: propagation.extract(ROOT_CONTEXT, header, getter) };
}
