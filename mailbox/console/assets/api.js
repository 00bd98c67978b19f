// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// What the pages ask the program. All paths are relative to the page, so that the console
// works below any prefix.

// Failure is an answer that is an error. Its status is 0 if there was no answer.
export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.name = "Failure";
    this.status = status;
  }
}

// address returns a path with its query. Parts of the query that are empty are left out.
export function address(path, query) {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== "" && value !== false && value != null);
  const text = new URLSearchParams(entries).toString();
  return text ? path + "?" + text : path;
}

// request asks for path, and returns the Response. It throws a Failure if that is an
// error, with the text that the program gave, and an AbortError if signal aborts.
export async function request(path, { query, signal, ...options } = {}) {
  let response;
  try {
    response = await fetch(address(path, query), { signal, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The program does not answer.", 0);
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new Failure(errorText(text) || response.status + " " + response.statusText, response.status);
}

function errorText(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text.trim().slice(0, 1000);
  }
}

// getJSON returns what path answers.
export async function getJSON(path, options) {
  const response = await request(path, options);
  return response.json();
}

// every calls f at once, and again each time that milliseconds have passed since it was
// done, until signal aborts. While nobody sees the page, it waits. What f throws goes to
// failed.
export async function every(milliseconds, signal, f, failed) {
  while (!signal.aborted) {
    await visible(signal);
    if (signal.aborted) return;
    try {
      await f();
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
    }
    await pause(milliseconds, signal);
  }
}

// pause returns when the time has passed, or signal aborts.
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

// visible returns when somebody can see the page, or signal aborts.
export function visible(signal) {
  return new Promise((resolve) => {
    check();
    function check() {
      if (!signal.aborted && document.visibilityState !== "visible") {
        document.addEventListener("visibilitychange", check, { once: true });
        signal.addEventListener("abort", check, { once: true });
      } else {
        document.removeEventListener("visibilitychange", check);
        signal.removeEventListener("abort", check);
        resolve();
      }
    }
  });
}
