// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The settings of the program as the pages read and change them.

import { request } from "./api.js";
import { readable } from "./config_diff.js";

// readConfig returns {config, tag, unknown, text}: the configuration, its entity tag, the
// names in it that the program has not, and the JSON as the program wrote it.
export async function readConfig(signal) {
  return read(await request("api/config", { signal }));
}

// writeConfig changes the configuration to config, if it is still the one of that tag. It
// takes JSON as a text or as a value, and returns what readConfig does. A Failure whose
// status is 412 means that somebody else has changed it.
export async function writeConfig(config, tag, signal) {
  const body = typeof config === "string" ? config : JSON.stringify(config);
  const headers = { "If-Match": tag, "Content-Type": "application/json" };
  return read(await request("api/config", { method: "PUT", headers, body, signal }));
}

async function read(response) {
  const { unknown = {}, ...config } = JSON.parse(await response.text());
  return { config, unknown, tag: response.headers.get("ETag"), text: readable(config, 2) };
}
