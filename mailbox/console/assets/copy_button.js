// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

import { h, replace } from "./dom.js";
import { icon } from "./trace_icons.js";

const shown = 1500; // milliseconds for which the button shows that it has worked

// withCopyButton returns an ID, and a button that copies it. say tells readers of the screen
// what came of that. A browser lets a page copy over TLS and on this machine; elsewhere the
// text is selected, for the person to copy.
export function withCopyButton(text, what, say) {
  const code = h("code", {}, text);
  const button = h("button", { type: "button", class: "plain copy", title: `Copy the ${what}`, "aria-label": `Copy the ${what}`, onclick: copy }, icon("copy"));
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      say(`The ${what} is copied.`);
      replace(button, icon("done"));
      setTimeout(() => replace(button, icon("copy")), shown);
    } catch {
      getSelection().selectAllChildren(code);
      say(`This browser does not let the page copy. The ${what} is selected.`);
    }
  }
  return [code, button];
}
