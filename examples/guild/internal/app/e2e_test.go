// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/otlptest"
)

// TestOnePostIsTracedToEverySession follows posts from the HTTP request over
// real connections to WebSocket clients, and their spans to a real collector.
func TestOnePostIsTracedToEverySession(t *testing.T) {
	const sinks, sockets, posts = 240, 5, 8
	collector := otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+collector.Endpoint())
	e := start(t, "-sessions", fmt.Sprint(sinks), "-slow", "0", "-posts", "0")
	// Otherwise a session that happens to be slow would be counted for itself.
	status, _ := e.tracing(http.MethodPut, "{}")
	require.Equal(t, http.StatusOK, status)

	listeners := make([]*listener, sockets)
	for i := range listeners {
		listeners[i] = e.listen("1")
	}
	for i := range posts {
		status, a := e.post("1", fmt.Sprintf(`{"author":"ann","content":"number %d"}`, i+1))
		require.Equal(t, http.StatusCreated, status, a.Error)
		assert.EqualValues(t, sinks+sockets, a.Recipients)
		assert.EqualValues(t, sinks+sockets, a.Delivered)
	}
	for _, l := range listeners {
		for i := range posts {
			m := l.next()
			assert.EqualValues(t, i+1, m.Seq, "every post once, and in order")
			assert.Equal(t, fmt.Sprintf("number %d", i+1), m.Content)
			assert.Equal(t, "ann", m.Author)
		}
		l.close()
	}
	r := e.finish()
	// Sessions check each for themselves that nothing was missed or came twice:
	// the program had failed otherwise.
	assert.EqualValues(t, posts*(sinks+sockets), r.Summary.Delivered)

	traces := received(collector)
	require.Len(t, traces, posts)
	for _, trace := range traces {
		checkTrace(t, trace, sinks+sockets)
	}
	assert.Equal(t, identities(traces), identities(r.Traces), "the report says what the collector got")
}

// received returns what the collector got, by trace.
func received(collector *otlptest.Receiver) []report.Trace {
	byID := map[string]*report.Trace{}
	for _, s := range collector.Spans() {
		id := s.TraceID.String()
		if byID[id] == nil {
			byID[id] = &report.Trace{TraceID: id}
		}
		span := report.Span{
			Service: s.Service, Name: s.Name, Kind: s.Kind.String(),
			SpanID: s.SpanID.String(), Attributes: s.Attributes,
		}
		if s.ParentID.IsValid() {
			span.ParentID = s.ParentID.String()
		}
		byID[id].Spans = append(byID[id].Spans, span)
	}
	traces := make([]report.Trace, 0, len(byID))
	for _, trace := range byID {
		traces = append(traces, *trace)
	}
	return traces
}

// checkTrace checks one post's trace: the tree, who made which span, and the
// weights.
func checkTrace(t *testing.T, trace report.Trace, recipients int) {
	t.Helper()
	tr := newTree(trace)
	at := tr.only(t, "", "POST /guilds/{guild}/messages", "chat-api", "server")
	tr.only(t, at, "INSERT posts", "chat-api", "client")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "chat-api", "client")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "guild", "server")
	at = tr.only(t, at, "call guild Publish", "guild", "internal")
	at = tr.only(t, at, "guild Publish", "guild", "internal")
	at = tr.only(t, at, "broadcast sessions", "guild", "producer")
	broadcast := tr.byID[at]
	assert.EqualValues(t, recipients, broadcast.Attributes["waybill.fanout.size"])
	assert.EqualValues(t, recipients, broadcast.Attributes["waybill.fanout.delivered"])
	assert.EqualValues(t, 0, broadcast.Attributes["waybill.fanout.refused"])
	chosen := tr.children[at]
	assert.EqualValues(t, len(chosen), broadcast.Attributes["waybill.fanout.sampled"])
	assert.Contains(t, []int{10, 11, 9}, len(chosen), "10 of 100 to 10,000 recipients, rounded at random")

	sum := 0.0
	for _, s := range chosen {
		assert.Equal(t, "session MessageCreate", s.Name)
		assert.Equal(t, "session", s.Service)
		assert.Equal(t, "consumer", s.Kind)
		assert.EqualValues(t, recipients, s.Attributes["waybill.fanout.size"])
		assert.EqualValues(t, 1, s.Attributes["waybill.fanout.depth"])
		assert.Contains(t, s.Attributes, "waybill.queue.duration")
		sum += s.Attributes["waybill.fanout.weight"].(float64)
		for _, below := range tr.children[s.SpanID] {
			assert.Equal(t, "websocket write", below.Name)
			assert.Equal(t, "session", below.Service)
		}
	}
	assert.InDelta(t, recipients, sum, 1e-9, "the weights of one fan-out sum to its size")
}

// tree is a trace by parent.
type tree struct {
	byID     map[string]report.Span
	children map[string][]report.Span
}

func newTree(trace report.Trace) tree {
	tr := tree{map[string]report.Span{}, map[string][]report.Span{}}
	for _, s := range trace.Spans {
		tr.byID[s.SpanID] = s
		tr.children[s.ParentID] = append(tr.children[s.ParentID], s)
	}
	return tr
}

// only asserts that parent has exactly one child of that name and returns its
// span ID.
func (tr tree) only(t *testing.T, parent, name, service, kind string) string {
	t.Helper()
	var found []report.Span
	for _, s := range tr.children[parent] {
		if s.Name == name {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "%s below %q", name, parent)
	assert.Equal(t, service, found[0].Service)
	assert.Equal(t, kind, found[0].Kind)
	return found[0].SpanID
}

// identity is what makes a span the same here and there.
type identity struct{ service, name, traceID, spanID, parentID string }

func identities(traces []report.Trace) map[identity]int {
	ids := map[identity]int{}
	for _, trace := range traces {
		for _, s := range trace.Spans {
			ids[identity{s.Service, s.Name, trace.TraceID, s.SpanID, s.ParentID}]++
		}
	}
	return ids
}

// listener is a real WebSocket client.
type listener struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

// listen connects a client to a guild and returns when it is in.
func (e *example) listen(guild string) *listener {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	e.t.Cleanup(cancel)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	conn, _, err := websocket.Dial(ctx, e.ws+"?guild="+guild, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial does.
	require.NoError(e.t, err)
	l := &listener{e.t, ctx, conn}
	var ready chat.Ready
	require.NoError(e.t, wsjson.Read(ctx, conn, &ready))
	require.Equal(e.t, chat.TypeReady, ready.Type)
	return l
}

func (l *listener) next() *chat.MessageCreate {
	l.t.Helper()
	var m chat.MessageCreate
	require.NoError(l.t, wsjson.Read(l.ctx, l.conn, &m))
	return &m
}

func (l *listener) close() { _ = l.conn.Close(websocket.StatusNormalClosure, "") }
