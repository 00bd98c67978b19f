// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const text = 4.5, drawing = 3; // contrast that WCAG 2.2 asks for at level AA

const css = readFileSync(new URL("../../assets/base.css", import.meta.url), "utf8");
const schemes = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, rules]) => new Map([...rules.matchAll(/--([\w-]+): #([0-9a-f]{6});/g)]
  .map(([, name, hex]) => [name, [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)])));

function luminance(colour) {
  const [r, g, b] = colour.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const over = (colour, ground, opacity) => colour.map((c, i) => c * opacity + ground[i] * (1 - opacity));
const series = (colours) => [...colours.keys()].filter((name) => /^s\d+$/.test(name));

test("both schemes have the same colours", () => {
  assert.equal(schemes.length, 2);
  assert.deepEqual([...schemes[0].keys()].sort(), [...schemes[1].keys()].sort());
  assert.equal(series(schemes[0]).length, 12);
});

for (const [name, colours] of [["light", schemes[0]], ["dark", schemes[1]]]) {
  const c = (key) => colours.get(key);
  const enough = (a, b, least, what) => assert.ok(contrast(a, b) >= least, `${name}: ${what}: ${contrast(a, b).toFixed(2)}`);

  test(`texts can be read: ${name}`, () => {
    for (const ink of ["text", "muted", "accent", "ok", "warn", "error"]) {
      for (const ground of ["bg", "panel", "raised"]) enough(c(ink), c(ground), text, `${ink} on ${ground}`);
    }
    enough(c("on-accent"), c("accent"), text, "on-accent on accent");
  });

  test(`numbers in bars can be read: ${name}`, () => {
    const [opacity, ink] = name === "light" ? [0.75, "text"] : [0.85, "panel"]; // as in charts.css
    for (const key of series(colours).slice(0, 8)) {
      enough(c("panel"), c(key), text, `a number on ${key}`);
      enough(c(ink), over(c(key), c("panel"), opacity), text, `a number on ${key}, in the running minute`);
    }
  });

  test(`bars and fields can be seen: ${name}`, () => {
    for (const key of [...series(colours), "wait", "field"]) {
      for (const ground of ["bg", "panel"]) enough(c(key), c(ground), drawing, `${key} on ${ground}`);
    }
  });
}
