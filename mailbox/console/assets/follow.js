// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Lists that follow what happens.
import { address, getJSON, pause, visible } from "./api.js";

const again = 2000; // milliseconds between two questions where there is no stream

// follow calls show with what path answers, at once and with each change, until signal
// aborts. It reads the server-sent events of that name at path + "/events", and asks every
// two seconds where they are refused. While nobody sees the page, it does neither: a
// browser has few connections to a program, and a hidden page needs none.
//
// state is called with "live", "asking", "lost" (it will connect again) or "refused", and
// with the reason. A question that makes no sense is not asked again.
export async function follow({ path, query, name, signal, show, state }) {
  while (!signal.aborted) {
    await visible(signal);
    if (signal.aborted) return;
    if (await stream({ path, query, name, signal, show, state })) continue;
    try {
      show(await getJSON(path, { query, signal }));
      state("asking");
    } catch (error) {
      if (signal.aborted) return;
      state(error.status === 0 ? "lost" : "refused", error.message);
      if (error.status === 400) return; // It would be the same again.
    }
    await pause(again, signal);
  }
}

// stream reads events until nobody sees the page or signal aborts, and then returns true.
// It returns false when the program refuses the stream.
function stream({ path, query, name, signal, show, state }) {
  return new Promise((resolve) => {
    const events = new EventSource(address(path + "/events", query));
    events.addEventListener(name, (event) => {
      state("live");
      show(JSON.parse(event.data));
    });
    events.addEventListener("open", () => state("live"));
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) end(false);
      else state("lost", "The program does not answer.");
    });
    const hidden = () => document.visibilityState !== "visible" && end(true);
    const aborted = () => end(true);
    document.addEventListener("visibilitychange", hidden);
    signal.addEventListener("abort", aborted);
    function end(result) {
      events.close();
      document.removeEventListener("visibilitychange", hidden);
      signal.removeEventListener("abort", aborted);
      resolve(result);
    }
  });
}
