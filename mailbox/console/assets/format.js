// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// How figures are written. Each has its unit, and times are in the reader's zone.

const space = "\u00a0"; // between a figure and its unit

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 }); // Making one takes long.

// three returns x with three digits, without an exponent.
function three(x) {
  const size = Math.abs(x);
  if (size >= 100 || size === 0) return whole.format(Math.round(x));
  return x.toFixed(size >= 10 ? 1 : 2);
}

// duration writes nanoseconds, such as "418 ms".
export function duration(nanoseconds) {
  const size = Math.abs(nanoseconds);
  if (size === 0) return "0" + space + "s";
  if (size < 999.5) return count(nanoseconds) + space + "ns";
  if (size < 999.5e3) return three(nanoseconds / 1e3) + space + "µs";
  if (size < 999.5e6) return three(nanoseconds / 1e6) + space + "ms";
  if (size < 59.95e9) return three(nanoseconds / 1e9) + space + "s";
  const seconds = Math.round(nanoseconds / 1e9);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] > 0) return parts[0] + space + "h" + space + parts[1] + space + "min";
  return parts[1] + space + "min" + space + parts[2] + space + "s";
}

// count writes a whole number, such as "12,345".
export function count(n) {
  return whole.format(Math.round(n));
}

// number writes any number with three digits or more, such as "0.25".
export function number(x) {
  if (Number.isInteger(x)) return count(x);
  return Math.abs(x) < 0.01 ? x.toPrecision(2) : three(x);
}

// things writes a count with its noun: "1 span", "2 spans".
export function things(n, one, many = one + "s") {
  return count(n) + space + (n === 1 ? one : many);
}

// bytes writes a size, such as "16 MiB".
export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (Math.abs(n) >= 1023.5 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return (Number.isInteger(n) ? count(n) : three(n)) + space + units[i];
}

// percent writes a share from 0 to 1, such as "94 %". What is not all is not "100 %", and what
// is not nothing is not "0 %".
export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<" + space + "0.1" + space + "%";
  if (value > 99.9 && value < 100) return ">" + space + "99.9" + space + "%";
  if (value >= 99.5 && value < 100) return value.toFixed(1) + space + "%";
  return (value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)) + space + "%";
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// clock writes the time of day, with the day if that is not today. Times are Dates, or
// texts as in RFC 3339.
export function clock(time) {
  const date = new Date(time);
  const text = clockFormat.format(date);
  return date.toDateString() === new Date().toDateString() ? text : dayFormat.format(date) + ", " + text;
}

// minute writes the time of day without seconds.
export function minute(time) {
  return minuteFormat.format(new Date(time));
}

// fullTime writes all of a time: the day, the time as it was given, and the zone.
export function fullTime(time) {
  return fullFormat.format(new Date(time)) + " (" + (time instanceof Date ? time.toISOString() : time) + ")";
}

// ago writes how long ago a time is, such as "5 s ago".
export function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(time)) / 1000));
  if (seconds < 120) return seconds + space + "s ago";
  if (seconds < 7200) return Math.round(seconds / 60) + space + "min ago";
  return Math.round(seconds / 3600) + space + "h ago";
}
