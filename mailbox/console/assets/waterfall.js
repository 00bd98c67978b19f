// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The waterfall of a trace: a row a span. Only the rows that are in the window are in the
// page, so that 10,000 of them are as fast as ten.

import { h, replace } from "./dom.js";
import { around, pan, percent, within, zoom } from "./time_scale.js";
import { pathLinks, pathPieces, Shown, visibleRows, windowOf } from "./trace_rows.js";
import { matches, whole } from "./trace_tree.js";
import { fillAxis, fillLines, Minimap, onDrag, tickList } from "./waterfall_axis.js";
import { onKey } from "./waterfall_keys.js";
import { fillRow } from "./waterfall_row.js";

const mostConnections = 300; // lines between rows that are drawn at a time
const deepest = 16; // pixels by which a level is indented, at most
const leastLinked = 3; // pixels of a step of the critical path that lines lead to
const leastNames = 100; // pixels of the names; where there are less, they are above the bars
const narrow = 400; // pixels of the names below which marks lose their words
const selectAfter = 120; // milliseconds on a row until its details follow

// Waterfall shows a tree of spans in its element, which others put into the page.
export class Waterfall {
  // chosen is called with the node that a person selects, and whether the keyboard is to go
  // to its details; and with null when they close the details. zoomed is called with whether
  // only a part of the trace is shown, and with which part if a person chose another one. All
  // ends with signal.
  constructor({ chosen, zoomed, signal }) {
    Object.assign(this, {
      chosen, zoomed, signal, shown: new Shown(), tree: null, rows: [], owner: [], elements: new Map(), numbers: new Map(),
      version: 0, range: null, all: null, active: "", selected: "", found: new Set(), drawn: "", width: 0, nameWidth: 0, stacked: false, deepest: 1,
    });
    this.build();
    this.listen();
  }

  build() {
    this.map = new Minimap();
    this.ticks = h("div", { class: "wf-ticks", "aria-hidden": "true" });
    this.axis = h("div", { class: "wf-axis", role: "columnheader" }, h("span", { class: "hidden-text" }, "Time"), this.map.element, this.ticks);
    this.nameHead = h("div", { class: "wf-name-head", role: "columnheader" }, "Span");
    this.lines = h("div", { class: "wf-layer", role: "presentation" });
    this.connections = h("div", { class: "wf-layer", role: "presentation" });
    this.body = h("div", { class: "wf-rows", role: "rowgroup" }, this.lines, this.connections);
    this.element = h("div", { class: "wf-grid", role: "treegrid", "aria-label": "Spans", "aria-colcount": 2 },
      h("div", { class: "wf-head", role: "rowgroup" },
        h("div", { class: "wf-head-row", role: "row", "aria-rowindex": 1 }, this.nameHead, this.axis)),
      this.body);
  }

  listen() {
    const { signal } = this;
    addEventListener("scroll", () => this.drawSoon(), { capture: true, passive: true, signal });
    addEventListener("resize", () => this.resized(), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawMap(), { signal });
    const sizes = new ResizeObserver(() => this.resized());
    sizes.observe(this.axis);
    signal.addEventListener("abort", () => sizes.disconnect());
    const all = () => this.all, shown = () => this.range, chosen = (range) => this.setRange(range);
    onDrag(this.map.element, { range: all, all, chosen, signal });
    onDrag(this.ticks, { range: shown, all, chosen, signal });
    const dragged = onDrag(this.body, { frame: this.connections, range: shown, all, chosen, mouseOnly: true, signal });
    this.body.addEventListener("click", (event) => dragged(event) || this.clicked(event), { signal });
    this.body.addEventListener("dblclick", (event) => this.doubleClicked(event), { signal });
    this.element.addEventListener("keydown", (event) => onKey(this, event), { signal });
    this.listenToWheel();
  }

  // listenToWheel listens where the browser then waits for the answer before it scrolls: at
  // the head, and at the rows while a key says that the wheel is not to scroll.
  listenToWheel() {
    const { signal } = this, wheel = (event) => this.wheel(event);
    const rows = (event) => {
      this.body.removeEventListener("wheel", wheel);
      if (event.ctrlKey || event.metaKey || event.shiftKey) this.body.addEventListener("wheel", wheel, { passive: false });
    };
    this.axis.addEventListener("wheel", wheel, { passive: false, signal });
    for (const type of ["keydown", "keyup", "blur"]) addEventListener(type, rows, { signal });
  }

  // update shows a tree, and keeps what is open, selected and zoomed.
  update(tree, duration) {
    const all = whole(tree, duration), zoomed = this.range && (this.range.from > this.all.from || this.range.to < this.all.to);
    this.tree = tree;
    this.all = all;
    this.range = zoomed ? within(all, this.range) : all;
    if (this.selected && tree.byKey.has(this.selected)) this.shown.reveal(tree, tree.byKey.get(this.selected));
    const anchor = this.anchor();
    this.layout();
    this.drawMap();
    this.keepAt(anchor);
    this.zoomed(Boolean(zoomed));
  }

  // anchor returns the key of the first row that is below the head, and where that row is, if
  // rows above it cannot be seen.
  anchor() {
    if (this.rows.length === 0) return null;
    const { top } = this.body.getBoundingClientRect(), { bottom } = this.axis.getBoundingClientRect();
    const number = Math.ceil((bottom - top) / this.rowHeight);
    if (number <= 0 || number >= this.rows.length) return null;
    return { key: this.rows[number].item.key, number };
  }

  // keepAt scrolls so that the anchor stays where it was, after rows came in above it.
  keepAt(anchor) {
    const number = anchor ? this.numbers.get(anchor.key) : undefined;
    if (number !== undefined && number !== anchor.number) scrollBy({ top: (number - anchor.number) * this.rowHeight, behavior: "instant" });
  }

  // layout counts the rows again, after something was opened or closed.
  layout() {
    const hadFocus = this.body.contains(document.activeElement), before = this.tree.byKey.get(this.active);
    Object.assign(this, visibleRows(this.tree, this.shown));
    this.pieces = pathPieces(this.tree, this.owner);
    this.numbers = new Map(this.rows.map((row, number) => [row.item.key, number]));
    this.deepest = this.rows.reduce((most, row) => Math.max(most, row.level), 1);
    this.element.setAttribute("aria-rowcount", this.rows.length + 1);
    if (!this.numbers.has(this.active)) {
      this.active = this.rows[before ? this.owner[before.index] : 0]?.item.key ?? "";
      if (hadFocus) return this.redraw(), this.focus(this.numbers.get(this.active));
    }
    this.redraw();
  }

  setRange(range) {
    this.range = range;
    this.redraw();
    this.zoomed(range.from > this.all.from || range.to < this.all.to, range);
  }

  resized() {
    this.redraw();
    this.drawMap();
  }

  drawMap() {
    if (this.tree) this.map.draw(this.tree, this.all);
  }

  // redraw draws all rows anew, and what is around them.
  redraw() {
    if (!this.tree) return;
    this.version++;
    this.width = this.axis.clientWidth;
    const names = this.axis.getBoundingClientRect().left - this.body.getBoundingClientRect().left;
    this.stacked = names < leastNames;
    this.nameWidth = this.stacked ? this.body.clientWidth : names;
    this.rowHeight = parseFloat(getComputedStyle(this.body).getPropertyValue("--row")) || 28;
    this.body.style.height = `${this.rows.length * this.rowHeight}px`;
    this.pixel = (this.range.to - this.range.from) / Math.max(this.width, 1);
    this.links = pathLinks(this.tree, this.owner, leastLinked * this.pixel);
    this.element.classList.toggle("wf-narrow", this.nameWidth < narrow);
    const list = tickList(this.range, this.width);
    fillAxis(this.ticks, list, this.range, this.width);
    fillLines(this.lines, list, this.range);
    this.map.show(this.all, this.range);
    this.draw();
  }

  drawSoon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.tree && !this.signal.aborted) this.draw();
    });
  }

  // draw puts the rows that are in the window into the page, and takes the others out. The
  // active row stays, because it may have the focus.
  draw() {
    const { top } = this.body.getBoundingClientRect(), count = this.rows.length;
    const { first, last } = windowOf({ top: -top, height: innerHeight, rowHeight: this.rowHeight, count });
    const drawn = `${first} ${last} ${this.active} ${this.version}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const wanted = [], active = this.numbers.get(this.active);
    if (active < first) wanted.push(active);
    for (let number = first; number < last; number++) wanted.push(number);
    if (active >= last) wanted.push(active);
    this.place(wanted);
    this.connect(first, last);
  }

  place(wanted) {
    const keys = new Set(wanted.map((number) => this.rows[number].item.key));
    for (const [key, { element }] of this.elements) {
      if (keys.has(key)) continue;
      element.remove();
      this.elements.delete(key);
    }
    const view = { ...this, indent: (level) => this.indent(level) };
    let next = this.connections.nextSibling;
    for (const number of wanted) {
      const row = this.rows[number], { key } = row.item;
      let shown = this.elements.get(key);
      if (!shown) {
        shown = { element: h("div", { role: "row", dataset: { key } }), version: -1 };
        this.elements.set(key, shown);
      }
      const { element } = shown;
      if (shown.version !== this.version) {
        fillRow(element, row, number, view);
        element.style.top = `${number * this.rowHeight}px`;
        shown.version = this.version;
      }
      if (element === next) next = next.nextSibling;
      else this.body.insertBefore(element, next);
    }
  }

  // connect draws the critical path from row to row, as far as it is in the window.
  connect(first, last) {
    const seen = this.links.filter(({ top, bottom }) => bottom >= first && top < last).slice(0, mostConnections);
    replace(this.connections, seen.map(({ at, top, bottom }) => {
      const left = percent(this.range, at);
      return left >= 0 && left <= 100 && h("span", { class: "wf-connection", style: {
        left: `${left}%`, top: `${(top + 0.5) * this.rowHeight}px`, height: `${(bottom - top) * this.rowHeight}px`,
      } });
    }));
  }

  // indent returns how far a level is to the right: less each where there are many.
  indent(level) {
    const room = this.nameWidth * 0.4, step = Math.min(this.stacked ? deepest / 2 : deepest, Math.max(room / this.deepest, 2));
    return { width: Math.min((level - 1) * step, room), step, lines: step >= 8 };
  }

  // focus makes a row the active one, and gives it the focus.
  focus(number, { block = "nearest", keyboard = true } = {}) {
    const row = this.rows[number];
    if (!row) return;
    const before = this.elements.get(this.active)?.element;
    before?.setAttribute("tabindex", "-1");
    this.active = row.item.key;
    this.draw();
    const { element } = this.elements.get(this.active);
    element.setAttribute("tabindex", "0");
    if (keyboard) element.focus({ preventScroll: true });
    element.scrollIntoView({ block });
  }

  // reveal opens what hides a node, and brings it into view. The focus stays where it is.
  reveal(node) {
    if (this.shown.reveal(this.tree, node)) this.layout();
    this.focus(this.numbers.get(node.key), { block: "center", keyboard: false });
  }

  // keepInView brings the active row into view, after something else took its place.
  keepInView() { this.elements.get(this.active)?.element.scrollIntoView({ block: "nearest" }); }

  activeLabel() { return this.elements.get(this.active)?.element.getAttribute("aria-label") ?? ""; }

  // move goes to a row; the details follow if there are any.
  move(number) {
    this.focus(Math.max(0, Math.min(this.rows.length - 1, number)));
    if (!this.selected) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.selected && !this.signal.aborted && this.choose(this.row().item), selectAfter);
  }

  row() { return this.rows[this.numbers.get(this.active)]; }

  toggle(row, open = !row.open) {
    if (row.open === undefined || row.open === open) return;
    this.shown.set(row.item, open);
    this.layout();
  }

  openAll(open) {
    this.shown.all(this.tree, open);
    this.layout();
  }

  // choose selects the node of a row. A fold has no details.
  choose(item, toDetails = false) {
    clearTimeout(this.timer);
    if (item.fold) return;
    this.mark(item.key);
    this.chosen(item, toDetails);
  }

  mark(key) {
    this.selected = key;
    this.redraw();
  }

  // show selects a node, and gives it the focus.
  show(node) {
    this.selected = node.key;
    this.reveal(node);
    this.redraw();
    this.focus(this.numbers.get(node.key));
  }

  // close ends the selection.
  close() {
    if (!this.selected) return;
    clearTimeout(this.timer);
    this.mark("");
    this.chosen(null, false);
  }

  // find marks the nodes that have a text, and returns them.
  find(text) {
    const nodes = matches(this.tree, text);
    this.found = new Set(nodes.map((node) => node.key));
    this.redraw();
    return nodes;
  }

  clicked(event) {
    const element = event.target.closest(".wf-row");
    const number = element ? this.numbers.get(element.dataset.key) : undefined;
    if (number === undefined) return;
    const row = this.rows[number];
    this.focus(number);
    if (row.item.fold || event.target.closest("[data-toggle]")) this.toggle(row);
    else this.choose(row.item);
  }

  doubleClicked(event) {
    const key = event.target.closest(".wf-time")?.parentElement.dataset.key;
    const item = this.rows[this.numbers.get(key)]?.item;
    if (item) this.zoomTo(item);
  }

  zoomTo(item) { this.setRange(around(this.all, item.begin, item.fold ? item.latest : item.end)); }

  zoomBy(factor, center) { this.setRange(zoom(this.all, this.range, factor, center)); }

  panBy(share) { this.setRange(pan(this.all, this.range, share)); }

  // wheel zooms with Ctrl, where the pointer is, and moves sideways.
  wheel(event) {
    const box = this.axis.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    if (share < 0 || share > 1) return;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      this.zoomBy(1.002 ** Math.max(-300, Math.min(event.deltaY, 300)), this.range.from + share * (this.range.to - this.range.from));
    } else if (sideways !== 0 && (event.shiftKey || Math.abs(sideways) > Math.abs(event.deltaY))) {
      this.panBy(sideways / box.width);
    } else {
      return;
    }
    event.preventDefault();
  }
}
