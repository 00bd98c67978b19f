// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The time axis. Times are nanoseconds from the start of the trace, and a range is the part
// of the trace that is shown. Nothing here knows of pages.

const units = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
const shortest = 100; // Nothing that takes less can be seen by zooming in.

// percent returns where a time is in a range, with 0 at its start and 100 at its end.
export function percent({ from, to }, at) { return ((at - from) / (to - from)) * 100; }

// piece returns the part of a range that lies between two times, in percent, or null if none
// of it does. A piece that begins before the range or ends after it is cut a little outside,
// so that its end is not seen.
export function piece(range, from, to) {
  const left = percent(range, from), right = percent(range, to);
  if (right < 0 || left > 100) return null;
  const start = Math.max(left, -1), end = Math.min(right, 101);
  return { left: start, width: Math.max(end - start, 0) };
}

// ticks returns at most most times of a range that are round numbers, with what to write
// there.
export function ticks({ from, to }, most) {
  const step = roundStep((to - from) / Math.max(most, 1));
  const [unit, size] = unitOf(Math.max(Math.abs(from), Math.abs(to)), step);
  const digits = Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9));
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) {
    const at = i * step;
    found.push({ at, label: i === 0 ? `0 ${unit}` : `${format.format(at / size)} ${unit}` });
  }
  return found;
}

// roundStep returns the smallest of 1, 2, 5, 10, 20, 50, … that is not below the given.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9);
  return power * ([1, 2, 5].find((n) => n * power >= least * (1 - 1e-9)) ?? 10);
}

// unitOf returns the unit in which the longest time is at least 1, and that does not make
// the steps between times tiny.
function unitOf(longest, step) {
  const unit = units.find(([, size]) => longest >= size) ?? units.at(-1);
  return step / unit[1] >= 1e-4 ? unit : units.find(([, size]) => step / size >= 1e-4) ?? units.at(-1);
}

// within returns a range of the same length, moved into all, or all if it is longer.
export function within(all, { from, to }) {
  const length = Math.min(Math.max(to - from, shortest), all.to - all.from);
  const start = Math.min(Math.max(from, all.from), all.to - length);
  return { from: start, to: start + length };
}

// zoom returns a range that is factor times as long, with center where it was.
export function zoom(all, range, factor, center = (range.from + range.to) / 2) {
  const length = Math.max((range.to - range.from) * factor, shortest);
  const share = Math.min(Math.max((center - range.from) / (range.to - range.from), 0), 1);
  return within(all, { from: center - length * share, to: center + length * (1 - share) });
}

// pan returns a range moved by a share of its length.
export function pan(all, range, share) {
  const by = (range.to - range.from) * share;
  return within(all, { from: range.from + by, to: range.to + by });
}

// around returns a range in which the times from and to are seen, with space at both sides.
export function around(all, from, to) {
  const space = Math.max((to - from) * 0.15, shortest);
  return within(all, { from: from - space, to: to + space });
}
