// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0
"use strict";

// Posts sends posts by one connection. Each begins a trace here. The span of the page
// lasts from the click until the post is back among the messages of the guild; how long
// that was, the service is told, which records it. Posts knows nothing of pages.
class Posts {
  // send is given the text of each frame. clock returns milliseconds since 1970, and watch
  // returns milliseconds since any time.
  constructor({ send, clock = () => Date.now(), watch = () => performance.now() }) {
    Object.assign(this, { send, clock, watch, ref: 0, waiting: new Map(), shownAt: new Map() });
  }

  // post returns a promise of the service's answer.
  post(author, content) {
    const ref = ++this.ref;
    const span = newSpan();
    return new Promise((resolve, reject) => {
      this.waiting.set(ref, { ref, span, start: this.clock(), begun: this.watch(), resolve, reject });
      this.send(wrap({ type: "post", ref, author, content }, span));
    });
  }

  // take takes an answer, with the span that it came from. It returns false if the message
  // is none.
  take(message, span) {
    if (message.type !== "posted" && message.type !== "refused") return false;
    const post = this.waiting.get(message.ref);
    if (!post || post.answered) return true;
    post.answered = true;
    if (message.type === "refused") {
      post.reject(new Error(message.error));
      this.waiting.delete(post.ref);
      return true;
    }
    post.resolve(message);
    post.seq = message.seq;
    if (span?.sampled && span.traceId === post.span.traceId) this.report(post);
    else this.waiting.delete(post.ref); // The service began a trace of its own, or none.
    return true;
  }

  // shown is told of each message that the page has shown, by its number. That may be
  // before the answer comes.
  shown(seq) {
    this.shownAt.set(seq, this.watch());
    if (this.shownAt.size > 100) this.shownAt.delete(this.shownAt.keys().next().value);
    this.waiting.forEach((post) => this.report(post));
  }

  // report tells of the page's span, once it has ended.
  report({ ref, seq, start, begun }) {
    const end = this.shownAt.get(seq);
    if (end === undefined) return;
    this.waiting.delete(ref);
    this.send(JSON.stringify({ type: "span", ref, start_unix_ms: start, duration_ms: end - begun }));
  }

  // end is told that the connection has ended.
  end() {
    this.waiting.forEach((post) => post.reject(new Error("the connection ended, and the post may not be stored")));
    this.waiting.clear();
  }
}
