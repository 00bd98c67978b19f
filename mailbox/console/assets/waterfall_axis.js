// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The head of the waterfall: a small picture of the whole trace, and the time axis. On both,
// dragging chooses the part of the trace that is shown.

import { h, replace } from "./dom.js";
import { colour } from "./services.js";
import { percent, piece, ticks, within } from "./time_scale.js";

const tickWidth = 84; // pixels that a time has on the axis, at least

// tickList returns the times on an axis of so many pixels.
export function tickList(range, width) { return ticks(range, Math.max(Math.floor(width / tickWidth), 1)); }

// fillAxis writes times at an axis. A time that would not fit at its end is left out.
export function fillAxis(element, list, range, width) {
  replace(element, list.map(({ at, label }) => {
    const left = percent(range, at), fits = (1 - left / 100) * width > label.length * 6.5 + 6;
    return fits && h("span", { class: "wf-tick", style: { left: `${left}%` } }, label);
  }));
}

// fillLines draws a line at each time.
export function fillLines(element, list, range) {
  replace(element, list.map(({ at }) => h("span", { class: "wf-line", style: { left: `${percent(range, at)}%` } })));
}

// onDrag calls chosen with the range over which somebody drags in element, where range() is
// what the width of frame is. What moves less than a few pixels is a click. It returns a
// function that tells whether a click was the end of a drag.
export function onDrag(element, { frame = element, range, all, chosen, mouseOnly, signal }) {
  const area = h("div", { class: "wf-drag" });
  let drag = null, ended = -Infinity;
  const time = (event) => {
    const box = frame.getBoundingClientRect(), { from, to } = range();
    return from + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (to - from);
  };
  const sorted = (event) => {
    const at = time(event);
    return { from: Math.min(at, drag.from), to: Math.max(at, drag.from) };
  };
  const on = (type, listener) => element.addEventListener(type, listener, { signal });
  on("pointerdown", (event) => {
    if (event.button !== 0 || (mouseOnly && event.pointerType !== "mouse")) return;
    if (event.clientX < frame.getBoundingClientRect().left) return;
    drag = { x: event.clientX, from: time(event), moved: false };
  });
  on("pointermove", (event) => {
    if (!drag || (!drag.moved && Math.abs(event.clientX - drag.x) < 5)) return;
    if (!drag.moved) {
      drag.moved = true;
      element.setPointerCapture(event.pointerId);
      frame.append(area);
    }
    const { from, to } = sorted(event), left = percent(range(), from);
    area.style.left = `${left}%`;
    area.style.width = `${percent(range(), to) - left}%`;
  });
  const stop = (event) => {
    if (drag?.moved) {
      ended = event.timeStamp;
      if (event.type === "pointerup") chosen(within(all(), sorted(event)));
    }
    drag = null;
    area.remove();
  };
  on("pointerup", stop);
  on("pointercancel", stop);
  return (click) => click.timeStamp - ended < 100;
}

// Minimap draws all spans of a trace, each as a line, and marks the part that is shown.
export class Minimap {
  constructor() {
    this.canvas = h("canvas", { class: "wf-map-canvas" });
    this.before = h("span", { class: "wf-outside" });
    this.after = h("span", { class: "wf-outside" });
    this.element = h("div", { class: "wf-map", "aria-hidden": "true" }, this.canvas, this.before, this.after);
  }

  // show marks the part that is shown.
  show(all, range) {
    this.before.style.width = `${Math.max(percent(all, range.from), 0)}%`;
    this.after.style.width = `${Math.max(100 - percent(all, range.to), 0)}%`;
  }

  // draw draws the spans again: when there are others, and when the size or the colours of
  // the page change.
  draw(tree, all) {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, scale = devicePixelRatio || 1;
    if (width === 0) return;
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    const paints = new Map();
    const paint = (service) => {
      if (!paints.has(service)) paints.set(service, style.getPropertyValue(/--\w+/.exec(colour(service))[0]));
      return paints.get(service);
    };
    const space = 2, room = height - 2 * space - 1, count = Math.max(tree.nodes.length - 1, 1);
    pen.scale(scale, scale);
    const line = (from, to, index, thickness) => {
      const at = piece(all, from, to);
      pen.fillRect((at.left / 100) * width, space + (index / count) * room, Math.max((at.width / 100) * width, 1), thickness);
    };
    const thickness = Math.min(Math.max(room / count - 0.5, 1), 4);
    for (const { span, index, begin, end } of tree.nodes) {
      pen.fillStyle = paint(span.service);
      pen.globalAlpha = 0.3;
      if (span.from_ns > begin) line(begin, span.from_ns, index, thickness);
      pen.globalAlpha = 1;
      line(span.from_ns, end, index, thickness);
    }
    pen.fillStyle = style.getPropertyValue("--text");
    for (const { node, from_ns: from, to_ns: to } of tree.steps) if (node) line(from, to, node.index + 0.5, 1);
  }
}
