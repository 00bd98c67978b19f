// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
)

// newPosts runs the page's own Posts, at a time that the test sets.
func newPosts(t *testing.T) feed {
	t.Helper()
	f := script(t, plainSnippet)
	f.run(readFile(t, "posts.js"))
	f.run(`
		let time = 1000; const sent = [], answers = [], failures = [];
		const posts = new Posts({ send: (text) => sent.push(text), clock: () => 1e12 + time, watch: () => time });
		const post = (content) => { posts.post("ann", content).then((m) => answers.push(m.seq), (e) => failures.push(e.message)); };
		const parent = (i) => unwrap(sent[i]).span;
		const answer = (message, span) => posts.take(message, span);`)
	return f
}

// pageFrame is what the page sends.
type pageFrame struct {
	Type     string  `json:"type"`
	Ref      int64   `json:"ref"`
	Author   string  `json:"author"`
	Content  string  `json:"content"`
	Start    float64 `json:"start_unix_ms"`
	Duration float64 `json:"duration_ms"`
}

// A post is a frame that the service reads, and begins a trace.
func TestThePagePostsByFrame(t *testing.T) {
	f := newPosts(t)
	f.run(`post("hello"); post("again");`)
	traces := map[string]bool{}
	for i, content := range []string{"hello", "again"} {
		w := wire.Config[pageFrame]{Accept: wire.WrappedOnly}
		e, err := w.Decode([]byte(f.run(fmt.Sprintf(`sent[%d]`, i)).(string)))
		require.NoError(t, err)
		assert.Equal(t, pageFrame{Type: "post", Ref: int64(i + 1), Author: "ann", Content: content}, e.Message())
		assert.True(t, e.Header().SpanContext().IsSampled())
		traces[e.Header().SpanContext().TraceID().String()] = true
	}
	assert.Len(t, traces, 2)
}

// The page's span lasts from the click until its message is shown, whether the answer or
// the message comes first.
func TestThePageTellsOfItsSpan(t *testing.T) {
	for name, steps := range map[string][2]string{
		"the answer first":  {`answer({ type: "posted", ref: 1, seq: 5 }, { ...parent(0), spanId: "1" })`, `posts.shown(5)`},
		"the message first": {`posts.shown(5)`, `answer({ type: "posted", ref: 1, seq: 5 }, { ...parent(0), spanId: "1" })`},
	} {
		f := newPosts(t)
		f.run(`post("hello"); time = 1040; posts.shown(4);`)
		f.run(`time = 1050; ` + steps[0])
		require.EqualValues(t, 1, f.run(`sent.length`), name)
		f.run(`time = 1060; ` + steps[1])
		require.EqualValues(t, 2, f.run(`sent.length`), name)
		var got pageFrame
		require.NoError(t, json.Unmarshal([]byte(f.run(`sent[1]`).(string)), &got))
		took := map[string]float64{"the answer first": 60, "the message first": 50}[name]
		assert.Equal(t, pageFrame{Type: "span", Ref: 1, Start: 1e12 + 1000, Duration: took}, got, name)
		assert.Equal(t, []any{int64(5)}, f.run(`answers`), name)
		f.run(`posts.shown(5); answer({ type: "posted", ref: 1, seq: 5 }, parent(0))`)
		assert.EqualValues(t, 2, f.run(`sent.length`), "once")
		assert.EqualValues(t, 0, f.run(`posts.waiting.size`))
	}
}

// Where the service began a trace of its own, or none, it does not want to know.
func TestThePageTellsOfNoOtherTrace(t *testing.T) {
	for _, span := range []string{`undefined`, `newSpan()`, `{ ...parent(0), sampled: false }`} {
		f := newPosts(t)
		f.run(`post("hello"); answer({ type: "posted", ref: 1, seq: 5 }, ` + span + `); posts.shown(5);`)
		assert.EqualValues(t, 1, f.run(`sent.length`), span)
		assert.EqualValues(t, 0, f.run(`posts.waiting.size`), span)
	}
}

func TestThePageHearsOfRefusalsAndTheEnd(t *testing.T) {
	f := newPosts(t)
	f.run(`post(""); post("a"); post("b");`)
	assert.Equal(t, true, f.run(`answer({ type: "refused", ref: 1, error: "no content" })`))
	assert.Equal(t, true, f.run(`answer({ type: "refused", ref: 9, error: "of a frame that nobody waits for" })`))
	assert.Equal(t, false, f.run(`answer({ type: "message", ref: 2, seq: 1 })`), "that is for the feed")
	f.run(`answer({ type: "posted", ref: 3, seq: 5 }, parent(2)); posts.end();`)
	assert.Equal(t, []any{"no content", "the connection ended, and the post may not be stored"}, f.run(`failures`))
	assert.Equal(t, []any{int64(5)}, f.run(`answers`))
	assert.EqualValues(t, 0, f.run(`posts.waiting.size`))
}

// However many messages are shown, the page remembers few of them.
func TestThePageRemembersFewMessages(t *testing.T) {
	f := newPosts(t)
	assert.EqualValues(t, 100, f.run(`for (let seq = 1; seq <= 1000; seq++) posts.shown(seq); posts.shownAt.size`))
}
