// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Elements. Whatever is shown is text: nothing here reads HTML.

// h makes an element. Props are attributes, but for these: onclick and its like are
// listeners, dataset and style are objects, and class may be an array with holes. False,
// null and undefined leave an attribute out, and true makes it empty. Children are nodes,
// texts, numbers, and arrays of them; false, null and undefined are left out.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

// svg makes an element of a drawing, as h does.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

// set sets one attribute, or listener, of an element.
export function set(element, name, value) {
  if (name.startsWith("on")) {
    element.addEventListener(name.slice(2), value);
  } else if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else if (name === "style") {
    // The policy of the page forbids style attributes, but not this.
    for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
  } else if (value === false || value == null) {
    element.removeAttribute(name);
  } else {
    if (Array.isArray(value)) value = value.filter(Boolean).join(" ");
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== false && child != null)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

// replace puts children in the place of all that element has.
export function replace(element, ...children) {
  element.replaceChildren(...nodes(children));
}

// setText changes the text of an element, and does nothing if it is the same: so the
// selection stays, and readers of the screen are not told again.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

// keyed makes the children of parent those of items, in their order. It keeps the elements
// of items that were there before, with the focus and the selection in them. key(item) is a
// text, another one for each item. make(item) returns an element, and update(element, item)
// fills it; update is called after make, and each time.
export function keyed(parent, items, key, make, update) {
  const focused = document.activeElement;
  const wanted = new Set(items.map(key));
  const before = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) before.set(child.dataset.key, child);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = before.get(name);
    if (!element) {
      element = make(item);
      element.dataset.key = name;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  // An element that has moved loses the focus.
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}
