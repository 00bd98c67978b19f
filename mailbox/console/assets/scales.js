// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Scales put values on a chart, and choose where its axes have ticks.

// linear returns a function that puts value v of domain [a, b] on range [from, to].
export function linear([a, b], [from, to]) {
  const per = b === a ? 0 : (to - from) / (b - a);
  return (v) => from + (v - a) * per;
}

// logarithmic is linear where the domain, which is above 0, is on a logarithmic axis. A
// value of 0 or less is put where the domain begins.
export function logarithmic([a, b], range) {
  const line = linear([Math.log(a), Math.log(b)], range);
  return (v) => line(Math.log(v > 0 ? v : a));
}

// niceTicks returns ticks from 0 up to at least max, some wanted in number, each a
// multiple of 1, 2 or 5 times a power of ten.
export function niceTicks(max, wanted = 4) {
  if (!(max > 0) || !Number.isFinite(max)) return [0, 1];
  const rough = max / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9));
  const ticks = [];
  for (let i = 0; ; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
    if (i * step >= max * (1 - 1e-9)) return ticks;
  }
}

// decades returns the powers of ten from the last that is at most low to the first that
// is at least high. Both are above 0.
export function decades(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(Math.ceil(Math.log10(high) - 1e-9), first + 1);
  // A power of ten with a negative exponent is not exact where it is computed.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
}

// thin returns some of ticks, evenly, so that there are at most so many. The first is
// always there.
export function thin(ticks, most) {
  const every = Math.ceil(ticks.length / Math.max(most, 1));
  return ticks.filter((_, i) => i % every === 0);
}
