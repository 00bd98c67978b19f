// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the parts of the page share.

export const $ = (id) => document.getElementById(id);

// h makes an element. Props are attributes, but for listeners such as onclick. Children are
// nodes, and texts, which are shown as such.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== false && child != null));
  return element;
}

// setText changes a text if it is another one, so that readers of the screen are not told
// what they know.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// json asks for JSON, and throws what the answer says is wrong.
export async function json(url, options) {
  const response = await fetch(url, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || response.statusText);
  return body;
}

// duration writes nanoseconds with a unit and three digits.
export function duration(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (ns >= size * 0.9995) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  }
  return `${ns} ns`;
}

// sentence returns the parts of what the console says of a trace. What makes it unsure is in
// brackets at its end, and small here.
export function sentence(text) {
  const found = /^(.*\S) (\([^()]*\))(\.?)$/s.exec(text);
  return found ? [found[1], found[3], " ", h("small", {}, found[2])] : [text];
}

// link returns a link to a page of the console, which has a window of its own.
export function link(path, ...text) {
  return h("a", { href: `console/${path}`, target: "waybill-console" }, ...text);
}

// every calls what now, and again and again while the page is looked at: each time that long
// after the last call has ended.
export async function every(ms, what) {
  for (;;) {
    if (document.visibilityState === "visible") await what().catch(() => {});
    await new Promise((done) => setTimeout(done, ms));
  }
}
