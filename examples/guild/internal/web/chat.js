// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The chat: a session like any other, over a WebSocket.
import { $, every, h, json, link, sentence } from "./dom.js";

const keptMessages = 200;
const explainedAfter = [700, 3000, 10000]; // milliseconds after a post: its trace may go on meanwhile

const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
let socket, posts, traced;

// begin shows the chat of the first guild. With operators, messages lead to their traces.
export function begin({ guilds, operators }) {
  traced = operators;
  $("chat").hidden = false;
  for (let g = 1; g <= guilds; g++) $("guild").append(new Option(g, g));
  $("guild").onchange = () => enter($("guild").value);
  $("post").onsubmit = post;
  enter("1");
  every(3000, view);
}

function state(text, bad) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", Boolean(bad));
}

function show(m) {
  const item = h("li", { "data-seq": m.seq, "data-traffic": m.author === "traffic" }, h("b", {}, m.author), " ", h("span", {}, m.content));
  if (m.trace_id && traced) item.append(" ", link(`#/traces/${m.trace_id}`, "trace"));
  append(item);
}

function append(item) {
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.children.length > keptMessages) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight; // Who reads older ones is left alone.
}

// view says how many are in the guild, and what it remembers.
async function view() {
  const guild = $("guild").value;
  const v = await json(`api/guilds/${guild}`);
  if (guild !== $("guild").value) return; // Another guild was entered.
  $("view").textContent = `${v.here.toLocaleString()} here, at most ${v.peak.toLocaleString()} at a time`
    + (v.lost ? `, ${v.lost.toLocaleString()} could not keep up` : "");
}

async function enter(guild) {
  if (socket) socket.close();
  $("view").textContent = "";
  $("messages").replaceChildren();
  const feed = new Feed({
    show: (m) => { show(m); posts?.shown(m.seq); },
    say: (text) => append(h("li", { class: "muted" }, text)),
    anew: () => enter(guild),
  });
  const mine = socket = { close() {} }; // Until there is one.
  try {
    feed.history(await json(`guilds/${guild}/messages`));
  } catch (err) { state(err.message, true); }
  if (socket === mine) connect(guild, feed);
}

function connect(guild, feed) {
  const mine = socket = new WebSocket(`${address}?guild=${guild}${feed.query}`);
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
    state(e.code === 1013 ? "the session ended, coming back…" : "disconnected, trying again…", true);
    setTimeout(() => socket === mine && connect(guild, feed), feed.delay(Math.random()));
  };
}

async function post(event) {
  event.preventDefault();
  try {
    if (!posts) throw new Error("not connected yet");
    const answer = posts.post($("author").value, $("content").value);
    $("content").value = "";
    const posted = await answer;
    state(posted.status === 202 ? "stored, and delivered later"
      : `delivered to ${posted.delivered.toLocaleString()} of ${posted.recipients.toLocaleString()} sessions, ${posted.traced} traced`);
    if (traced) for (const ms of explainedAfter) setTimeout(() => explain(posted.seq).catch(() => {}), ms);
  } catch (err) { state(err.message, true); }
}

// explain shows below a message of ours why its post took as long as it did.
async function explain(seq) {
  const item = $("messages").querySelector(`[data-seq="${seq}"]`);
  const trace = item?.querySelector("a")?.hash.split("/").pop();
  if (!trace) return;
  const { explanation } = await json(`console/api/traces/${trace}`);
  let why = item.querySelector(".why");
  if (!why) item.append(why = h("div", { class: "why" }));
  why.replaceChildren(...sentence(explanation.sentence));
}
