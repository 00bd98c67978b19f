// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The frame of the console: the navigation, and which page is shown.
import { getJSON } from "./api.js";
import { h, replace } from "./dom.js";
import { find, link, pages } from "./pages.js";

const root = document.getElementById("page");

// What is shown: the page, how it is stopped, and what it does with new params.
let shown = null;
let program = "waybill";

async function navigate({ focus = true } = {}) {
  if (["", "#", "#/"].includes(location.hash) && pages.length > 0) {
    history.replaceState(null, "", link([pages[0].path]));
  }
  const found = find(location.hash);
  if (found && shown?.page === found.page && shown.update && shown.update(found.params) !== false) return;

  shown?.controller.abort();
  const current = { page: found?.page, controller: new AbortController(), update: null };
  shown = current;
  mark(found);
  const page = h("div", { class: "page" });
  try {
    if (!found) throw new Error("There is no such page.");
    replace(root, h("p", { class: "muted", role: "status" }, "Loading…"));
    const module = await import(found.page.module);
    if (shown !== current) return;
    replace(root, page);
    current.update = await module.show(page, found.params, current.controller.signal);
  } catch (error) {
    if (shown !== current || current.controller.signal.aborted) return;
    replace(root, problem(error));
  }
  if (shown === current) entered(focus);
}

// entered gives the window the title of the page, and readers of the screen its heading.
function entered(focus) {
  const heading = root.querySelector("h1");
  document.title = [heading?.dataset.title ?? heading?.textContent, program].filter(Boolean).join(" · ");
  if (heading && focus) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function problem(error) {
  return h("div", { class: "page" },
    h("h1", {}, "This page cannot be shown"),
    h("p", { class: "error", role: "alert" }, error.message),
    h("p", {}, h("button", { type: "button", onclick: () => navigate() }, "Try again"), " ",
      h("a", { href: "#/" }, "First page")));
}

// firstPart returns the part of a page's path that is the same for all that it shows.
const firstPart = (page) => page.path.split("/", 1)[0];

// mark tells which page of the navigation is shown. A page below another is part of it.
function mark(found) {
  const first = found && firstPart(found.page);
  for (const anchor of document.querySelectorAll("#pages a")) {
    if (anchor.dataset.first === first) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
}

async function start() {
  replace(document.getElementById("pages"), ...pages.filter((page) => page.text).map((page) =>
    h("li", {}, h("a", { href: link([firstPart(page)]), dataset: { first: firstPart(page) } }, page.text))));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // The hash is the page.
    root.focus();
  });
  addEventListener("hashchange", () => navigate());
  const page = navigate({ focus: false });
  try {
    const about = await getJSON("api/about");
    if (about.title) {
      program = about.title;
      document.getElementById("title").textContent = about.title;
    }
    if (about.features.traces_only) document.querySelector('#pages a[data-first="processes"]')?.parentElement.remove();
    replace(document.getElementById("links"), ...about.links.map(({ text, url }) => h("li", {}, h("a", { href: url }, text))));
  } catch {
    // The page tells that there is no answer.
  }
  await page;
  entered(false);
}

start();
