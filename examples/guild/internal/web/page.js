// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// The page: what is served beside it decides on what it shows.
import { $, json } from "./dom.js";
import * as chat from "./chat.js";
import * as latest from "./latest.js";
import * as trouble from "./trouble.js";

async function begin() {
  const config = await json("api/config");
  if (config.chat) chat.begin(config);
  if (!config.operators) return;
  $("console").hidden = $("operate").hidden = false;
  $("nodes").hidden = !config.nodes; // It says what there is not of other processes.
  latest.begin();
  await trouble.begin();
}

begin().catch((err) => {
  $("chat").hidden = false;
  $("state").textContent = err.message;
});
