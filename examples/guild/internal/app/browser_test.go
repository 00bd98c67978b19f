// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// said is what a client reads: a message of the guild, or an answer.
type said struct {
	Type      string `json:"type"`
	Ref       int64  `json:"ref"`
	Seq       int64  `json:"seq"`
	Content   string `json:"content"`
	TraceID   string `json:"trace_id"`
	Error     string `json:"error"`
	Delivered int64  `json:"delivered"`
	Traced    int64  `json:"traced"`
}

// write sends a frame.
func (l *listener) write(frame string) {
	l.t.Helper()
	require.NoError(l.t, l.conn.Write(l.ctx, websocket.MessageText, []byte(frame)))
}

// postFrame posts as a page does, in a trace of its own that says more of itself, and
// returns the answer and the message, which come in any order.
func (l *listener) postFrame(traceID, more string) (answer, echo said) {
	l.t.Helper()
	l.write(fmt.Sprintf(`{"waybill:envelope":{"version":1,"traceparent":"00-%s-%s-03"%s},`+
		`"message":{"type":"post","ref":1,"author":"ann","content":"by frame"}}`, traceID, theirSpan, more))
	for answer.Type == "" || echo.Type == "" {
		_, data, err := l.conn.Read(l.ctx)
		require.NoError(l.t, err)
		e, err := wire.Config[said]{Form: wire.JSON}.Decode(data)
		require.NoError(l.t, err)
		if m := e.Message(); m.Type == "message" {
			echo = m
		} else {
			answer = m
		}
	}
	return answer, echo
}

// report sends how long the page's span took, and waits until it was taken.
func (l *listener) report(took float64) {
	l.t.Helper()
	l.write(fmt.Sprintf(`{"type":"span","ref":1,"start_unix_ms":%d,"duration_ms":%g}`, time.Now().UnixMilli(), took))
	l.write(`{"type":"x","ref":2}`) // Frames are taken one after another.
	for {
		var m struct{ Message said }
		require.NoError(l.t, wsjson.Read(l.ctx, l.conn, &m))
		if m.Message.Ref == 2 {
			return
		}
	}
}

const forgedState = `,"tracestate":"waybill=w:1e+06;p:1e-06;n:1000000;d:1;b:1000;e:1000,vendor=x"`

// A post over a real WebSocket starts its trace in the browser, and the waterfall begins
// there. Nothing that the browser says of weights counts.
func TestAPostByFrameBeginsInTheBrowser(t *testing.T) {
	const sinks = 240
	e := start(t, "-sessions", fmt.Sprint(sinks), "-slow", "0", "-posts", "0")
	status, _ := e.tracing(http.MethodPut, "{}") // No late spans.
	require.Equal(t, http.StatusOK, status)
	l := e.listen("1")
	answer, echo := l.postFrame(theirTrace, forgedState)
	assert.Equal(t, "posted", answer.Type, answer.Error)
	assert.EqualValues(t, sinks+1, answer.Delivered)
	assert.Equal(t, "by frame", echo.Content)
	assert.Equal(t, theirTrace, echo.TraceID)
	assert.Equal(t, answer.Seq, echo.Seq)
	l.report(1.5)
	l.close()

	r := e.finish()
	require.Len(t, r.Traces, 1)
	require.Equal(t, theirTrace, r.Traces[0].TraceID)
	tr := newTree(r.Traces[0])
	at := tr.only(t, "", "send post", "browser", "client")
	assert.Equal(t, theirSpan, at)
	assert.EqualValues(t, 1_500_000, tr.byID[at].DurationNS)
	assert.Equal(t, "browser", r.Traces[0].Spans[0].Service, "the waterfall begins with it")
	at = tr.only(t, at, "websocket post", "chat-api", "server")
	tr.only(t, at, "INSERT posts", "chat-api", "client")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "chat-api", "client")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "guild", "server")
	at = tr.only(t, at, "call guild Publish", "guild", "internal")
	at = tr.only(t, at, "guild Publish", "guild", "internal")
	at = tr.only(t, at, "broadcast sessions", "guild", "producer")
	assert.InDelta(t, sinks+1, weights(r.Traces[0]), 1e-9, "the weights are those of the fan-out alone")
	assert.LessOrEqual(t, len(tr.children[at]), 11, "no budget of theirs")
}

// weights adds up the weights of the sessions in a trace.
func weights(trace report.Trace) (sum float64) {
	for _, span := range trace.Spans {
		if span.Name == "session MessageCreate" {
			sum += span.Attributes["waybill.fanout.weight"].(float64)
		}
	}
	return sum
}

// What becomes of a browser's trace is configured, and by default depends on who can
// reach the address.
func TestThePolicyForBrowsers(t *testing.T) {
	for _, tt := range []struct {
		args              []string
		continued, linked bool
	}{
		{[]string{"-browser", "continue"}, true, false},
		{[]string{"-browser", "link"}, false, true},
		{[]string{"-browser", "ignore"}, false, false},
		{[]string{"-addr", ":0"}, false, true},
	} {
		t.Run(fmt.Sprint(tt.args), func(t *testing.T) {
			e := start(t, append([]string{"-sessions", "50", "-slow", "0", "-posts", "0"}, tt.args...)...)
			status, _ := e.tracing(http.MethodPut, "{}")
			require.Equal(t, http.StatusOK, status)
			l := e.listen("1")
			answer, echo := l.postFrame(theirTrace, forgedState)
			assert.Equal(t, "posted", answer.Type, answer.Error)
			assert.Equal(t, tt.continued, echo.TraceID == theirTrace)
			l.report(1)
			l.close()
			r := e.finish()
			require.Len(t, r.Traces, 1)
			assert.Equal(t, echo.TraceID, r.Traces[0].TraceID)
			first := r.Traces[0].Spans[0]
			if tt.continued {
				assert.Equal(t, "browser", first.Service)
			} else {
				assert.Equal(t, "websocket post", first.Name)
				assert.Empty(t, first.ParentID)
			}
			if tt.linked {
				assert.Equal(t, []report.Link{{TraceID: theirTrace, SpanID: theirSpan}}, first.Links)
			} else {
				assert.Empty(t, first.Links)
			}
			assert.InDelta(t, 51, weights(r.Traces[0]), 1e-9)
		})
	}
}

// What a browser says has nothing recorded where no trace is to begin.
func TestBrowsersCannotHaveTracesRecorded(t *testing.T) {
	e := start(t, "-sessions", "50", "-slow", "0", "-posts", "0", "-sample", "0", "-browser", "continue")
	status, _ := e.tracing(http.MethodPut, "{}")
	require.Equal(t, http.StatusOK, status)
	l := e.listen("1")
	answer, echo := l.postFrame(theirTrace, forgedState)
	assert.Equal(t, "posted", answer.Type, answer.Error)
	assert.Zero(t, answer.Traced)
	assert.Empty(t, echo.TraceID)
	l.report(1)
	l.close()
	assert.Zero(t, e.finish().Summary.Spans)
}

func TestThePolicyIsSpelledAsItIs(t *testing.T) {
	var out, errOut bytes.Buffer
	assert.Equal(t, 2, app.Main(t.Context(), []string{"-browser", "believe"}, &out, &errOut))
	assert.Equal(t, "guild: -browser \"believe\" is not ignore, link or continue (-h for help)\n", errOut.String())
}
