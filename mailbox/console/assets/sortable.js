// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// A table whose rows can be sorted by its columns, and which stays in its place while its
// values change: whatever has the focus keeps it.

import { h, keyed, set, setText } from "./dom.js";

// sortableTable makes a table. columns are
//
//   {name, title, unit, help, text, sort, update, numeric, header}
//
// title and unit are the heading, and help says more. text(row) is the text of a cell, and
// sort(row) what the rows are sorted by: a number, or a text; without it the column does not sort.
// update(cell, row), if there is one, fills the cell instead of text. numeric columns are
// aligned to the right, and begin with the largest. header marks the column that names the
// row. key(row) is a text, another one for each row.
//
// by is {column, descending}, the order at first, and sorted(by) is called when it changes.
// It returns {element, update(rows), columns(shown)}: columns shows the columns for which
// shown(column) is true.
export function sortableTable({ label, columns, key, by, sorted = () => {} }) {
  let order = { ...by };
  let rows = [];
  let visible = columns;
  const head = h("tr", {});
  const body = h("tbody", {});
  const element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "sortable", "aria-label": label }, h("thead", {}, head), body));

  function heading(column) {
    const unit = column.unit && h("span", { class: "unit" }, column.unit);
    return h("th", { scope: "col", class: [column.numeric && "n"], title: column.help }, column.sort
      ? h("button", { type: "button", class: "sort", onclick: () => sortBy(column) },
        column.title, h("span", { class: "arrow", "aria-hidden": "true" }), unit)
      : h("span", { class: "heading" }, column.title, unit));
  }

  function sortBy(column) {
    const descending = order.column === column.name ? !order.descending : Boolean(column.numeric);
    order = { column: column.name, descending };
    sorted(order);
    refresh();
  }

  function refresh() {
    keyed(head, visible, (column) => column.name, heading, (th, column) => {
      const on = order.column === column.name;
      set(th, "aria-sort", on && (order.descending ? "descending" : "ascending"));
      const arrow = th.querySelector(".arrow");
      if (arrow) setText(arrow, on ? (order.descending ? "▼" : "▲") : "");
    });
    const column = columns.find(({ name }) => name === order.column);
    const shown = column?.sort ? [...rows].sort((a, b) => compare(column.sort(a), column.sort(b), order.descending)) : rows;
    keyed(body, shown, key, () => h("tr", {}), fillRow);
  }

  function fillRow(tr, row) {
    keyed(tr, visible, (column) => column.name, makeCell, (cell, column) => {
      if (column.update) column.update(cell, row);
      else setText(cell, column.text(row));
    });
  }

  return {
    element,
    update(next) {
      rows = next;
      refresh();
    },
    columns(shown) {
      visible = columns.filter(shown);
    },
  };
}

const makeCell = (column) => h(column.header ? "th" : "td", {
  class: [column.numeric && "n", column.header && "name"], scope: column.header && "row",
});

// compare puts what is missing last, in both orders.
export function compare(a, b, descending) {
  const lacks = (value) => value === undefined || value === null || Number.isNaN(value);
  if (lacks(a) || lacks(b)) return Number(lacks(a)) - Number(lacks(b));
  const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  return descending ? -order : order;
}
