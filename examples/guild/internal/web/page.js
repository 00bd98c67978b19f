// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0
"use strict";

const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};
const ms = (ns) => (ns / 1e6).toFixed(ns < 1e8 ? 3 : 0) + " ms";
const shownAlike = 3; // siblings of one name that are shown at first
const keptMessages = 200;

let config, socket, posts, chosen;

async function json(url) {
  const response = await fetch(url);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error || response.statusText);
  return body;
}

function state(text, bad) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", Boolean(bad));
}

// Chat.

function show(m) {
  const item = make("li");
  item.append(make("b", "", m.author), make("span", "", m.content));
  if (m.trace_id) {
    const open = make("button", "", "trace");
    open.onclick = () => choose(m.trace_id);
    item.append(open);
  }
  append(item);
}

function append(item) {
  $("messages").append(item);
  while ($("messages").children.length > keptMessages) $("messages").firstChild.remove();
  item.scrollIntoView({ block: "end" });
}

// view says how many are in the guild, and what it remembers.
async function view() {
  const guild = $("guild").value;
  const v = await json(`/api/guilds/${guild}`);
  if (guild !== $("guild").value) return; // Another guild was entered.
  $("view").textContent = `${v.here.toLocaleString()} here, at most ${v.peak.toLocaleString()} at a time`
    + (v.lost ? `, ${v.lost.toLocaleString()} could not keep up` : "");
}

async function enter(guild) {
  if (socket) socket.close();
  $("view").textContent = "";
  $("messages").replaceChildren();
  const feed = new Feed({ show: (m) => { show(m); posts?.shown(m.seq); }, say: (text) => append(make("li", "hint", text)), anew: () => enter(guild) });
  const mine = socket = { close() {} }; // Until there is one.
  try {
    feed.history(await json(`/guilds/${guild}/messages`));
  } catch (err) { state(err.message, true); }
  if (socket === mine) connect(guild, feed);
}

function connect(guild, feed) {
  const mine = socket = new WebSocket(`${config.ws}?guild=${guild}${feed.query}`);
  const own = new Posts({ send: (text) => mine.send(text) });
  mine.onopen = () => { posts = own; state("connected"); view().catch(() => {}); };
  mine.onmessage = (e) => {
    if (socket !== mine) return;
    const { message, span } = unwrap(e.data);
    if (!own.take(message, span) && !feed.take(message)) mine.close();
  };
  mine.onclose = (e) => {
    own.end();
    if (posts === own) posts = undefined;
    if (socket !== mine) return; // Another guild was entered.
    state(e.code === 1013 ? "could not keep up, catching up…" : "disconnected, trying again…", true);
    setTimeout(() => socket === mine && connect(guild, feed), feed.delay(Math.random()));
  };
}

$("post").onsubmit = async (e) => {
  e.preventDefault();
  try {
    if (!posts) throw new Error("not connected yet");
    const posted = await posts.post($("author").value, $("content").value);
    state(posted.status === 202 ? "stored, and delivered later"
      : `delivered to ${posted.delivered} of ${posted.recipients} sessions, ${posted.traced} traced`);
    $("content").value = "";
    setTimeout(list, 100);
  } catch (err) { state(err.message, true); }
};

// Traces.

async function list() {
  const traces = await json("/api/traces");
  $("traces").replaceChildren(...traces.map((t) => {
    const row = make("tr", t.trace_id === chosen ? "chosen" : "");
    row.tabIndex = 0;
    row.append(make("td", "", new Date(t.start_unix_nano / 1e6).toLocaleTimeString()), make("td", "", t.name),
      make("td", "n", t.spans), make("td", "n", ms(t.duration_ns)));
    row.onclick = row.onkeydown = (e) => { if (!e.key || e.key === "Enter") choose(t.trace_id); };
    return row;
  }));
}

async function choose(id) {
  chosen = id;
  list();
  try { draw(await json(`/api/traces/${id}`)); } catch { $("waterfall").replaceChildren(make("p", "hint", "This trace is no longer kept.")); }
}

const colors = ["#2457c5", "#0b7a5e", "#a8590b", "#7b3fb5"];

function draw(trace) {
  const known = new Set(trace.spans.map((s) => s.span_id));
  const children = new Map();
  for (const s of trace.spans) {
    const parent = known.has(s.parent_id) ? s.parent_id : "";
    children.set(parent, [...(children.get(parent) || []), s]);
  }
  const start = Math.min(...trace.spans.map((s) => s.start_unix_nano));
  const end = Math.max(...trace.spans.map((s) => s.start_unix_nano + s.duration_ns));
  const services = [...new Set(trace.spans.map((s) => s.service))];
  const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const title = make("h2", "", `${many(trace.spans.length, "span")} of ${many(services.length, "service")} in ${ms(end - start)} `);
  title.append(make("code", "", trace.trace_id));
  const rows = make("div");
  rows.append(heading());
  branch(rows, "", 0, { children, start, total: Math.max(end - start, 1), services });
  $("waterfall").replaceChildren(title, rows);
}

function heading() {
  const row = make("div", "span head");
  row.append(...["Span", "", "Duration", "Waited", "Stands for"].map((t) => make("span", "", t)));
  return row;
}

// branch draws the children of a span, those of one name together.
function branch(into, parent, depth, view) {
  const byName = new Map();
  for (const s of view.children.get(parent) || []) byName.set(s.name, [...(byName.get(s.name) || []), s]);
  for (const alike of byName.values()) {
    const size = (s) => (view.children.get(s.span_id) || []).length;
    if (alike.length > shownAlike) alike.sort((a, b) => size(b) - size(a) || b.duration_ns - a.duration_ns);
    const drawAll = (spans, target) => spans.forEach((s) => {
      target.append(spanRow(s, depth, view));
      branch(target, s.span_id, depth + 1, view);
    });
    drawAll(alike.slice(0, shownAlike), into);
    const rest = alike.slice(shownAlike);
    if (rest.length === 0) continue;
    const more = make("button", "more", `${rest.length} more “${rest[0].name}”`);
    more.style.paddingLeft = `${depth + 1}rem`;
    more.onclick = () => { const all = make("div"); drawAll(rest, all); more.replaceWith(all); };
    into.append(more);
  }
}

function spanRow(s, depth, view) {
  const row = make("div", s.error ? "span failed" : "span");
  row.title = Object.entries(s.attributes).map(([k, v]) => `${k} = ${v}`).concat(s.error || []).join("\n");
  const color = colors[view.services.indexOf(s.service) % colors.length];
  const name = make("span", "name");
  name.style.paddingLeft = `${depth}rem`;
  const service = make("i", "", s.service);
  service.style.background = color;
  name.append(service, s.name);
  const waited = (s.attributes["waybill.queue.duration"] || 0) * 1e9;
  const weight = s.attributes["waybill.fanout.weight"];
  const track = make("span", "track");
  const at = s.start_unix_nano - view.start;
  if (waited > 0) track.append(bar("wait", at - waited, waited, color, view));
  track.append(bar("work", at, s.duration_ns, color, view));
  row.append(name, track, make("span", "", ms(s.duration_ns)), make("span", "", waited ? ms(waited) : ""),
    make("span", "", weight ? `× ${Number(weight.toPrecision(4))}` : ""));
  return row;
}

function bar(className, at, length, color, view) {
  const b = make("span", className);
  b.style.left = `${Math.min(Math.max(at / view.total, 0) * 100, 99.5)}%`;
  b.style.width = `${Math.min(length / view.total, 1) * 100}%`;
  b.style.background = color;
  return b;
}

async function begin() {
  try {
    config = await json("/api/config");
    config.ws = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
  } catch (err) { state(err.message, true); return; }
  for (let g = 1; g <= config.guilds; g++) $("guild").append(new Option(g, g));
  $("guild").onchange = () => enter($("guild").value);
  await enter(1);
  await list();
  const first = document.querySelector("#traces tr");
  if (first) first.click();
  setInterval(() => { list().catch(() => {}); view().catch(() => {}); }, 3000);
}
begin();
