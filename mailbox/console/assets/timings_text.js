// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// How timings are written. "~" stands before estimates: not all messages were timed.

import { count, duration, percent } from "./format.js";
import { oneLine } from "./span_text.js";

// row returns the texts of a row of timings.
export function row(r) {
  const mark = r.timed < r.count ? "~" : "";
  return {
    share: mark + percent(r.share),
    busy: mark + duration(r.busy_ns),
    count: mark + count(r.count),
    longest: duration(r.longest_ns),
    meanWait: mark + duration(meanWait(r)),
    longestWait: duration(r.longest_wait_ns),
  };
}

// meanWait is how long a message had waited on average, in nanoseconds.
export const meanWait = (r) => (r.count > 0 ? r.waited_ns / r.count : 0);

// processName returns the name of a process, as spans and timings have it.
export const processName = (kind, id) => oneLine(kind) + " " + (id === "" ? "without an ID" : oneLine(id));
