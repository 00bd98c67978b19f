// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import test from "node:test";

import { find, link, pages } from "../../assets/pages.js";

test("a hash leads to a page and its params", () => {
  assert.equal(find("#/traces").page.module, "./traces.js");
  assert.equal(find("#/traces?failed=true").params.query.get("failed"), "true");
  const { page, params } = find("#/traces/abc/def");
  assert.equal(page.module, "./trace.js");
  assert.deepEqual([params.trace, params.span], ["abc", "def"]);
  assert.equal(find("#/traces/abc").params.span, undefined);
  for (const hash of ["", "#/", "#/nothing", "#/traces/a/b/c", "#/traces/%zz"]) assert.equal(find(hash), null, hash);
});

test("a link leads back to what it was made of", () => {
  for (const id of ["14", "a/b", "ü ?#&", "%41", "<img>"]) {
    const hash = link(["traces", id], { name: id, failed: true, late: "", limit: null });
    assert.equal(find(hash).params.trace, id);
    assert.equal(find(hash).params.query.get("name"), id);
    assert.deepEqual([...find(hash).params.query.keys()], ["name", "failed"]);
  }
});

test("every page has a module, and the first one is in the navigation", () => {
  assert.ok(pages[0].text);
  for (const page of pages) assert.match(page.module, /^\.\/\w+\.js$/);
});
