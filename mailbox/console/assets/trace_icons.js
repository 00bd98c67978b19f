// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The small drawings of the trace page. They are beside words, which readers of the screen
// read instead.

import { svg } from "./dom.js";

const drawings = {
  chevron: ["M6 4l4 4-4 4"],
  failed: ["M8 1.8l6.6 11.6H1.4z", "M8 6v3.4", "M8 11.3v.4"],
  late: ["M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z", "M8 4.6V8l2.4 1.6"],
  link: ["M6.6 9.4l2.8-2.8", "M7.4 4.4l1.3-1.3a2.8 2.8 0 0 1 4 4l-1.3 1.3", "M8.6 11.6l-1.3 1.3a2.8 2.8 0 0 1-4-4l1.3-1.3"],
  restarted: ["M3 8a5 5 0 1 0 1.6-3.7", "M3 2.5v3h3"],
  close: ["M4 4l8 8", "M12 4l-8 8"],
  done: ["M3 8.5l3.2 3.2L13 4.8"],
  copy: ["M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"],
  download: ["M8 2v8", "M4.8 7L8 10.2 11.2 7", "M2.5 13.5h11"],
  back: ["M9.5 3.5L5 8l4.5 4.5"],
};

// icon returns a drawing by name.
export function icon(name) {
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    drawings[name].map((d) => svg("path", { d })));
}
