// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/browser"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/propagate"
)

const theirSpan = "b7ad6b7169203331"

// reply is what a client gets for a frame.
type reply struct {
	Type      string `json:"type"`
	Ref       int64  `json:"ref"`
	Status    int    `json:"status"`
	Error     string `json:"error"`
	Seq       int64  `json:"seq"`
	Delivered int64  `json:"delivered"`

	trace trace.SpanContext
}

// door is an API whose clients send frames.
type door struct {
	t       *testing.T
	service *api.Service
	spans   *tracetest.SpanRecorder
	client  chat.Frames
	stop    func()
}

func newDoor(t *testing.T, policy propagate.Policy, sampler sdktrace.Sampler) *door {
	t.Helper()
	addr := nowhere(t)
	guildService{publish: func(context.Context, *guildpb.PublishRequest) error { return nil }}.serve(t, addr)
	d := &door{t: t, spans: tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(d.spans))
	pages := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(d.spans), sdktrace.WithIDGenerator(browser.IDs()))
	var log lines
	db := openStore(t, "")
	d.service = serviceOf(t, api.Config{Provider: provider, Browser: pages, Policy: policy}, db, addr, &log)
	d.stop = sync.OnceFunc(func() { assert.NoError(t, d.service.Shutdown(context.Background())) })
	t.Cleanup(func() {
		d.stop()
		assert.NoError(t, db.Close(context.Background()))
	})
	d.client = d.service.Open(1)
	return d
}

// send sends a frame and returns the answer, nil if there is none.
func (d *door) send(frame string) *reply {
	d.t.Helper()
	answer := d.client(d.t.Context(), []byte(frame))
	if answer == nil {
		return nil
	}
	e, err := wire.Config[reply]{Accept: wire.WrappedOnly}.Decode(answer)
	require.NoError(d.t, err, string(answer))
	r := e.Message()
	r.trace = e.Header().SpanContext()
	return &r
}

// wrapped returns a frame with a post in the trace of that ID, whose envelope has more.
func wrapped(traceID, flags, more string) string {
	return fmt.Sprintf(`{"waybill:envelope":{"version":1,"traceparent":"00-%s-%s-%s"%s},`+
		`"message":{"type":"post","ref":7,"author":"ann","content":"hello"}}`, traceID, theirSpan, flags, more)
}

// traceOf returns an ID that differs from those of other numbers.
func traceOf(n int) string { return fmt.Sprintf("0af7651916cd43dd8448eb21%08x", n) }

// named returns the ended spans of a name.
func (d *door) named(name string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range d.spans.Ended() {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	return found
}

// first returns the only span of a frame with a post.
func (d *door) first() sdktrace.ReadOnlySpan {
	d.t.Helper()
	found := d.named("websocket post")
	require.Len(d.t, found, 1)
	return found[0]
}

var everyRoot = sdktrace.ParentBased(sdktrace.AlwaysSample())

// A post by frame is one as by HTTP, and goes on with the trace that began in the browser.
func TestPostsByFrame(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	r := d.send(wrapped(traceOf(1), "03", ""))
	span := d.first()
	assert.Equal(t, traceOf(1), span.SpanContext().TraceID().String())
	assert.Equal(t, theirSpan, span.Parent().SpanID().String())
	assert.Equal(t, trace.SpanKindServer, span.SpanKind())
	assert.Equal(t, span.SpanContext().SpanID(), r.trace.SpanID(), "the answer has the trace")
	assert.Equal(t, reply{Type: "posted", Ref: 7, Status: http.StatusCreated, Seq: 1, Delivered: 1, trace: r.trace}, *r)
	assert.EqualValues(t, 1, d.service.Posts())

	require.Nil(t, d.send(fmt.Sprintf(`{"type":"span","ref":7,"duration_ms":%d}`, 1)))
	theirs := d.named("send post")
	require.Len(t, theirs, 1)
	assert.Equal(t, span.Parent().SpanID(), theirs[0].SpanContext().SpanID())
	assert.Equal(t, span.SpanContext().TraceID(), theirs[0].SpanContext().TraceID())

	r = d.send(`{"type":"post","ref":8,"content":"bare"}`)
	assert.EqualValues(t, 2, r.Seq)
	assert.True(t, r.trace.IsValid(), "a trace begins here")
	assert.NotEqual(t, traceOf(1), r.trace.TraceID().String())
}

// What a browser says of weights, budgets, hops and times is never believed, whatever
// the policy, and the policy decides on the rest.
func TestForgedFrames(t *testing.T) {
	const more = `,"tracestate":"waybill=w:1e+06;p:1e-06;n:1000000;d:1;b:1000;e:1000,vendor=x","baggage":"admin=yes",` +
		`"sent":"2001-02-03T04:05:06Z","hops":1000,"age_ns":3600000000000,"fanout":"sampled"`
	for policy, continued := range map[propagate.Policy]bool{
		propagate.Ignore: false, propagate.Link: false, propagate.ContinueIDs: true,
	} {
		d := newDoor(t, policy, everyRoot)
		r := d.send(wrapped(traceOf(1), "01", more))
		require.Equal(t, "posted", r.Type)
		span := d.first()
		assert.Equal(t, continued, span.SpanContext().TraceID().String() == traceOf(1), policy)
		assert.Equal(t, continued, span.Parent().IsValid(), policy)
		assert.Zero(t, span.SpanContext().TraceState().Len(), policy)
		for _, s := range d.spans.Ended() {
			assert.Zero(t, s.SpanContext().TraceState().Len(), policy)
			for _, kv := range s.Attributes() {
				assert.NotContains(t, string(kv.Key), "waybill.", policy)
			}
		}
		if links := span.Links(); policy == propagate.Link {
			require.Len(t, links, 1)
			assert.Equal(t, traceOf(1), links[0].SpanContext.TraceID().String())
			assert.Zero(t, links[0].SpanContext.TraceState().Len())
		} else {
			assert.Empty(t, links, policy)
		}
		r = d.send(`{"type":"span","ref":7,"duration_ms":1}`)
		assert.Equal(t, continued, r == nil, "only a trace that began there has a span of a page")
	}
}

// Nobody outside has a trace recorded that the sampler does not take.
func TestTheSamplerDecidesOnTheTracesOfBrowsers(t *testing.T) {
	never := sdktrace.ParentBased(sdktrace.NeverSample(), sdktrace.WithRemoteParentSampled(sdktrace.NeverSample()))
	for _, tt := range []struct {
		sampler sdktrace.Sampler
		flags   string
	}{{never, "01"}, {never, "00"}, {everyRoot, "02"}} {
		d := newDoor(t, propagate.ContinueIDs, tt.sampler)
		assert.Equal(t, "posted", d.send(wrapped(traceOf(1), tt.flags, "")).Type)
		assert.Equal(t, http.StatusBadRequest, d.send(`{"type":"span","ref":7,"duration_ms":1}`).Status)
		assert.Empty(t, d.spans.Ended())
	}
}

// A trace that has come before is linked to, so that nobody puts all posts in one, or joins
// somebody else's.
func TestATraceIsContinuedOnce(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	d.send(wrapped(traceOf(1), "01", ""))
	w := do(d.service, request(t, http.MethodPost, strings.NewReader(`{"content":"x"}`)))
	require.Equal(t, http.StatusCreated, w.Code)
	byHTTP := d.named("POST /guilds/{guild}/messages")
	require.Len(t, byHTTP, 1)
	for _, known := range []string{traceOf(1), byHTTP[0].SpanContext().TraceID().String()} {
		before := len(d.named("websocket post"))
		d.client = d.service.Open(1) // Another connection is no way around it.
		assert.Equal(t, "posted", d.send(wrapped(known, "01", "")).Type)
		span := d.named("websocket post")[before]
		assert.NotEqual(t, known, span.SpanContext().TraceID().String())
		require.Len(t, span.Links(), 1)
		assert.Equal(t, known, span.Links()[0].SpanContext.TraceID().String())
		assert.NotNil(t, d.send(`{"type":"span","ref":7,"duration_ms":1}`), "it has no span of a page")
	}
}

func TestSeenTracesAreBounded(t *testing.T) {
	s := api.NewSeen()
	id := func(n int) trace.TraceID { return trace.TraceID{1, byte(n >> 16), byte(n >> 8), byte(n)} }
	for n := range 3 * api.MaxSeen {
		require.True(t, s.First(id(n)))
		require.False(t, s.First(id(n)))
	}
	assert.False(t, s.First(id(2*api.MaxSeen)), "the latest are remembered")
	assert.True(t, s.First(id(2*api.MaxSeen-1)), "the others are not")
}

// Frames that are not as they should be are refused with a reason, harm nobody, and leave
// no span.
func TestBadFramesAreRefused(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	parent := fmt.Sprintf(`"traceparent":"00-%s-%s-01"`, traceOf(1), theirSpan)
	message := `{"type":"post","content":"x"}`
	for name, tt := range map[string]struct {
		frame  string
		status int
		why    string
	}{
		"empty":                 {"", 400, "JSON"},
		"no JSON":               {"hello", 400, "JSON"},
		"cut off":               {`{"type":"post",`, 400, "JSON"},
		"no object":             {`[]`, 400, "JSON"},
		"null":                  {`null`, 400, "no such type"},
		"wrong types":           {`{"type":"post","content":7}`, 400, "JSON"},
		"a number beyond all":   {`{"type":"span","duration_ms":1e999}`, 400, "JSON"},
		"no type":               {`{"content":"x"}`, 400, "no such type"},
		"another type":          {`{"type":"ready"}`, 400, "no such type"},
		"no content":            {`{"type":"post","content":" "}`, 400, "no content"},
		"long author":           {`{"type":"post","content":"x","author":"` + strings.Repeat("a", 81) + `"}`, 400, "author"},
		"long content":          {`{"type":"post","content":"` + strings.Repeat("a", 2001) + `"}`, 413, "2000"},
		"a later version":       {`{"waybill:envelope":{"version":2},"message":` + message + `}`, 400, "version"},
		"a critical member":     {`{"waybill:envelope":{"version":1,"crit":["x"]},"message":` + message + `}`, 400, "critical"},
		"two envelopes":         {`{"waybill:envelope":{"version":1},"waybill:envelope":{"version":1},"message":` + message + `}`, 400, "envelope"},
		"two messages":          {`{"waybill:envelope":{"version":1},"message":` + message + `,"message":` + message + `}`, 400, "envelope"},
		"two versions":          {`{"waybill:envelope":{"version":1,"version":1},"message":` + message + `}`, 400, "version"},
		"a large envelope":      {`{"waybill:envelope":{"version":1,"x":"` + strings.Repeat("a", 2000) + `"},"message":` + message + `}`, 400, "above the limit"},
		"an envelope in itself": {`{"waybill:envelope":{"version":1},"message":{"waybill:envelope":{"version":1},"message":` + message + `}}`, 400, "no such type"},
		"no post to report on":  {`{"type":"span","ref":7,"duration_ms":1}`, 400, "no span"},
		"no message":            {`{"waybill:envelope":{"version":1,` + parent + `}}`, 400, "envelope"},
	} {
		r := d.send(tt.frame)
		require.NotNil(t, r, name)
		assert.Equal(t, "refused", r.Type, name)
		assert.Equal(t, tt.status, r.Status, name)
		assert.Contains(t, r.Error, tt.why, name)
	}
	assert.Empty(t, d.spans.Ended())
	assert.Zero(t, d.service.Posts())
}

// A trace that is malformed counts as none, and the post goes on.
func TestMalformedTracesCountAsNone(t *testing.T) {
	for name, header := range map[string]string{
		"twice":       `"traceparent":"00-%[1]s-%[2]s-01","traceparent":"00-%[1]s-%[2]s-01"`,
		"upper case":  `"traceparent":"00-0AF7651916CD43DD8448EB2100000001-%[2]s-01","x":"%[1]s"`,
		"cut off":     `"traceparent":"00-%s-%s"`,
		"a number":    `"traceparent":7,"x":"%s%s"`,
		"an object":   `"traceparent":{"a":"%s-%s"}`,
		"no trace ID": `"traceparent":"00-00000000000000000000000000000000-%[2]s-01","x":"%[1]s"`,
		"elsewhere":   `"Traceparent":"00-%s-%s-01"`,
	} {
		d := newDoor(t, propagate.ContinueIDs, everyRoot)
		r := d.send(fmt.Sprintf(`{"waybill:envelope":{"version":1,`+header+`},"message":{"type":"post","content":"x"}}`, traceOf(1), theirSpan))
		assert.Equal(t, "posted", r.Type, name)
		assert.False(t, d.first().Parent().IsValid(), name)
		assert.NotEqual(t, traceOf(1), d.first().SpanContext().TraceID().String(), name)
	}
}

// A page reports a span once, of one of its latest posts, and by its own connection.
func TestReportsAreBounded(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	post := func(ref int) {
		frame := strings.Replace(wrapped(traceOf(ref), "01", ""), `"ref":7`, fmt.Sprintf(`"ref":%d`, ref), 1)
		require.Equal(t, "posted", d.send(frame).Type)
	}
	report := func(ref int, took string) *reply {
		return d.send(fmt.Sprintf(`{"type":"span","ref":%d,"start_unix_ms":-1e300,"duration_ms":%s}`, ref, took))
	}
	for ref := range 6 {
		post(ref + 1)
	}
	ours := d.client
	d.client = d.service.Open(1)
	assert.NotNil(t, report(6, "1"), "another connection's")
	d.client = ours
	assert.NotNil(t, report(2, "1"), "too many have come since")
	assert.Nil(t, report(4, "1"))
	assert.NotNil(t, report(4, "1"), "a second time")
	assert.NotNil(t, report(5, "-1"))
	assert.NotNil(t, report(5, "1"), "it had its turn")
	assert.NotNil(t, report(3, "1e300"))
	assert.Nil(t, report(6, "0"))
	assert.Len(t, d.named("send post"), 2)
}

// What a browser writes comes back as text, and as nothing else.
func TestAnswersAreJSON(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	for _, frame := range []string{"<script>\"\u2028\x00\xff", `{"type":"<b>"}`, `{"waybill:envelope":{"version":1,"crit":["\u0000<b>"]},"message":7}`} {
		answer := d.client(t.Context(), []byte(frame))
		assert.True(t, json.Valid(answer), "%q", answer)
		assert.NotContains(t, string(answer), "<")
		assert.Less(t, len(answer), 512)
	}
}

// Once the service shuts down it takes no more frames, so that nothing is stored that
// nobody delivers.
func TestNoFramesAfterTheEnd(t *testing.T) {
	d := newDoor(t, propagate.ContinueIDs, everyRoot)
	d.stop()
	r := d.send(wrapped(traceOf(1), "01", ""))
	assert.Equal(t, http.StatusServiceUnavailable, r.Status)
	assert.Zero(t, d.service.Posts())
}
