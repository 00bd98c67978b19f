// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Comparing configurations. A configuration is JSON. It is compared setting by setting,
// where a list, such as the points of a curve, is one setting.

import { oneLine } from "./span_text.js";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// settings returns each setting of a configuration as [path, value]. A path is a list of names.
function* settings(config, path = []) {
  for (const name of Object.keys(config ?? {})) {
    const value = config[name];
    if (isObject(value) && Object.keys(value).length > 0) yield* settings(value, [...path, name]);
    else yield [[...path, name], value];
  }
}

function at(config, path) {
  let value = config;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

// diff returns what differs from before to after: [{path, before, after}] in the order of
// their paths. What is not there is undefined.
export function diff(before, after) {
  const paths = new Map();
  for (const config of [before, after]) {
    for (const [path] of settings(config)) paths.set(JSON.stringify(path), path);
  }
  return [...paths.keys()]
    .sort()
    .map((key) => ({ path: paths.get(key), before: at(before, paths.get(key)), after: at(after, paths.get(key)) }))
    .filter((change) => !equal(change.before, change.after) && !(isObject(change.before) && isObject(change.after)));
}

function set(config, path, value) {
  let inside = config;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(inside, name) || !isObject(inside[name])) define(inside, name, {});
    inside = inside[name];
  }
  define(inside, path.at(-1), value);
}

// remove removes a setting, and the objects that are empty without it if mine has not got
// them: a kind without settings of its own has other settings than one that has none.
function remove(config, path, mine) {
  for (let length = path.length; length > 0; length--) {
    const parent = at(config, path.slice(0, length - 1));
    if (isObject(parent)) delete parent[path[length - 1]];
    if (length === 1 || !isObject(parent) || Object.keys(parent).length > 0) return;
    if (at(mine, path.slice(0, length - 1)) !== undefined) return;
  }
}

// define sets a member whatever its name is: "__proto__" is a name like others.
function define(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

// rebase returns theirs with the changes from base to mine, and the paths that both have
// changed, to different values. In these, mine is taken.
export function rebase(base, mine, theirs) {
  const merged = structuredClone(theirs);
  const changedThere = new Map(diff(base, theirs).map((change) => [JSON.stringify(change.path), change.after]));
  const both = [];
  for (const { path, after } of diff(base, mine)) {
    const key = JSON.stringify(path);
    if (changedThere.has(key) && !equal(changedThere.get(key), after)) both.push(path);
    if (after === undefined) remove(merged, path, mine);
    else set(merged, path, structuredClone(after));
  }
  return { merged, both };
}

// pathText returns a path as people read it: kinds › session › late › slower_than.
export const pathText = (path) => path.map((name) => oneLine(name)).join(" › ");

// valueText returns a setting as text, and says where there is none.
export const valueText = (value) => (value === undefined ? "as by default" : readable(value));

// readable writes a value as JSON in which nothing is hidden: characters that nobody sees,
// or that turn a text around, are escaped.
export function readable(value, indent) {
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"));
}
