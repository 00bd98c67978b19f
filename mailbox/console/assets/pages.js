// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The pages of the console; the first is shown where no other is asked for. A path is what
// stands behind "#/". In it, ":name" is any part, which a "?" at its end lets be missing. A
// page with a text is in the navigation.
//
// A module exports `async function show(root, params, signal)`. It fills root with a page
// whose heading is an h1, and stops what it does when signal aborts. params has the parts of
// the path by name, and `query`, the URLSearchParams behind "?" in the hash. If show
// returns a function, it is called with new params when the hash changes to
// another one of the same page. If it returns false, the page is shown anew.
export const pages = [
  { path: "traces", text: "Traces", module: "./traces.js" },
  { path: "traces/:trace/:span?", module: "./trace.js" },
  { path: "processes/:kind?", text: "Processes", module: "./processes.js" },
  { path: "processes/:kind/:id", module: "./process.js" },
  { path: "sampling", text: "Sampling", module: "./sampling.js" },
  { path: "health", text: "Health", module: "./health.js" },
];

// parse returns the path and the query of a hash such as "#/traces?failed=true".
export function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { parts: path.split("/").filter((part) => part !== ""), query: new URLSearchParams(query ?? "") };
}

const last = new Map(); // the hash that each page had last, by its path

// lastLink returns the hash that a page had last, with its query, so that a way back leads
// to what was there.
export function lastLink(path) { return last.get(path) ?? link([path]); }

// find returns the page of a hash and its params, or null.
export function find(hash) {
  const { parts, query } = parse(hash);
  for (const page of pages) {
    const params = match(page.path.split("/"), parts);
    if (params) {
      last.set(page.path, hash);
      return { page, params: { ...params, query } };
    }
  }
  return null;
}

function match(pattern, parts) {
  if (parts.length > pattern.length) return null;
  const params = {};
  for (const [i, wanted] of pattern.entries()) {
    const name = /^:(\w+)(\?)?$/.exec(wanted);
    if (i >= parts.length) {
      if (name?.[2]) continue;
      return null;
    }
    if (!name) {
      if (wanted !== parts[i]) return null;
      continue;
    }
    try {
      params[name[1]] = decodeURIComponent(parts[i]);
    } catch {
      return null;
    }
  }
  return params;
}

// link returns the hash of a page: link(["traces", id], {failed: true}).
export function link(parts, query) {
  const text = queryText(query);
  return "#/" + parts.map(encodeURIComponent).join("/") + (text && "?" + text);
}

// setQuery changes the query of the hash, without showing the page anew. Parts that are
// empty are left out.
export function setQuery(query) {
  const text = queryText(query);
  const path = location.hash.split("?", 1)[0];
  history.replaceState(history.state, "", path + (text && "?" + text));
  find(location.hash);
}

// changeQuery changes some parts of the query of the hash, as setQuery does.
export function changeQuery(changes) {
  setQuery({ ...Object.fromEntries(parse(location.hash).query), ...changes });
}

function queryText(query) {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== "" && value !== false && value != null);
  return new URLSearchParams(entries).toString();
}
