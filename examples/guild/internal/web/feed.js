// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0
"use strict";

// Feed shows the messages of a guild, each once and in the order of their numbers,
// over however many connections. It knows nothing of pages.
class Feed {
  // show is given each message, say what a person should know, and anew is called
  // when the messages are others than before, so that this feed is of no more use.
  constructor({ show, say, anew }) {
    Object.assign(this, { show, say, anew, last: null, tries: 0 });
  }

  // query is what to ask a connection for: all messages after the last one.
  get query() { return this.last === null ? "" : `&since=${this.last}`; }

  // history takes the latest messages, in their order, before there is a connection.
  history(messages) {
    this.last ??= messages.length > 0 ? messages[0].seq - 1 : 0;
    messages.forEach((m) => this.message(m));
  }

  // take takes an event of a connection. It returns false if the connection is not
  // to be trusted, and should be made anew.
  take(event) {
    switch (event.type) {
      case "ready": return this.ready(event);
      case "message": return this.message(event);
      default: return true;
    }
  }

  ready({ last, missed }) {
    if (this.last !== null && last < this.last) {
      this.anew();
      return true;
    }
    if (missed > 0) this.say(`${missed} messages are no longer stored`);
    this.last = last;
    return true;
  }

  message(m) {
    if (m.seq <= this.last) return true;
    if (this.last !== null && m.seq !== this.last + 1) return false;
    this.last = m.seq;
    this.tries = 0;
    this.show(m);
    return true;
  }

  // delay returns how many milliseconds to wait before the next connection: longer
  // from try to try, and for each page another while, given a chance from 0 to 1.
  delay(chance) {
    const longest = Math.min(250 * 2 ** this.tries, 15000);
    this.tries = Math.min(this.tries + 1, 10);
    return longest * (0.5 + chance / 2);
  }
}
