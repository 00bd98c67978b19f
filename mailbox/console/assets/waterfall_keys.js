// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The keys of the waterfall: those of a tree grid, and a few for the time axis.

const page = 10; // rows

const keys = {
  ArrowDown: (w, number) => w.move(number + 1),
  ArrowUp: (w, number) => w.move(number - 1),
  PageDown: (w, number) => w.move(number + page),
  PageUp: (w, number) => w.move(number - page),
  Home: (w) => w.move(0),
  End: (w) => w.move(w.rows.length - 1),
  ArrowRight: (w, number, row) => {
    if (row.open === false) w.toggle(row);
    else if (row.open) w.move(number + 1);
  },
  ArrowLeft: (w, number, row) => {
    if (row.open) return w.toggle(row);
    const parent = w.rows.findLastIndex((above, i) => i < number && above.level < row.level);
    if (parent >= 0) w.move(parent);
  },
  Enter: (w, number, row) => (row.item.fold ? w.toggle(row) : w.choose(row.item, true)),
  " ": (w, number, row) => {
    if (row.item.fold) w.toggle(row);
    else if (w.selected === row.item.key) w.close();
    else w.choose(row.item);
  },
  Escape: (w) => w.close(),
  "+": (w, number, row) => w.zoomBy(0.5, row.item.begin),
  "=": (w, number, row) => w.zoomBy(0.5, row.item.begin),
  "-": (w, number, row) => w.zoomBy(2, row.item.begin),
  0: (w) => w.setRange(w.all),
  z: (w, number, row) => w.zoomTo(row.item),
  "*": (w) => w.openAll(true),
};

const shiftKeys = {
  ArrowRight: (w) => w.panBy(0.25),
  ArrowLeft: (w) => w.panBy(-0.25),
};

// help says what the keys do.
export const help = [
  [["↑", "↓"], "go from span to span"],
  [["→", "←"], "open and close, or go to the parent"],
  [["Home", "End"], "go to the first and the last span"],
  [["Enter"], "open the details and go there"],
  [["Space"], "open or close the details"],
  [["Esc"], "close the details"],
  [["+", "−"], "zoom in and out"],
  [["Z"], "zoom to the span"],
  [["0"], "show the whole time"],
  [["Shift ←", "Shift →"], "move along the time"],
];

// onKey does what a key asks for on the row that has the focus.
export function onKey(waterfall, event) {
  const key = event.target.closest?.(".wf-row")?.dataset.key, number = waterfall.numbers.get(key);
  if (number === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = (event.shiftKey && shiftKeys[name]) || keys[name];
  if (!act) return;
  event.preventDefault();
  act(waterfall, number, waterfall.rows[number]);
}
