// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox/console"
	"github.com/waybill-go/waybill/mailbox/timings"
)

func TestSpansOfAnyTimeAreShown(t *testing.T) {
	for name, at := range map[string][2]time.Time{
		"no start":               {{}, time.Now()},
		"no end":                 {time.Now(), {}},
		"neither":                {},
		"before all years":       {time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()},
		"after all years":        {time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(20_001, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a zone without a name":  {time.Now().In(time.FixedZone("", 25*60*60)), time.Now()},
		"the end of 64 bits":     {time.Unix(1<<62, 0), time.Unix(1<<62, 1)},
		"the beginning of these": {time.Unix(-1<<62, 0), time.Unix(1<<62, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			con := console.New(console.Config{})
			id, span := trace.TraceID{1}, trace.SpanID{2}
			con.OnEnd(tracetest.SpanStub{
				Name: "s", SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span}),
				StartTime: at[0], EndTime: at[1],
				Events: []sdktrace.Event{{Name: "e", Time: at[0]}},
			}.Snapshot())
			for _, path := range []string{"", "/spans/" + span.String(), "/otlp.json"} {
				w := get(t, con, "/api/traces/"+id.String()+path)
				assert.Equal(t, http.StatusOK, w.Code)
				assert.True(t, json.Valid(w.Body.Bytes()), "%q: %s", path, w.Body)
			}
			assert.True(t, json.Valid(get(t, con, "/api/traces").Body.Bytes()))
		})
	}
}

// meanwhile is a body that ends after something else has been done.
type meanwhile func()

func (m meanwhile) Read([]byte) (int, error) {
	m()
	return 0, io.EOF
}

// A client that sends its change slowly, or never, holds up nobody.
func TestChangesDoNotWaitForThoseThatDoNotCome(t *testing.T) {
	con, control, _ := changeable(t)
	tag := get(t, con, "/api/config").Header().Get("ETag")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/config", meanwhile(func() {
		done := make(chan int, 1)
		go func() { done <- put(t, con, `{"kinds":{"session":{"spans_per_second":7}}}`, "If-Match", tag).Code }()
		select {
		case code := <-done:
			assert.Less(t, code, http.StatusMultipleChoices)
		case <-time.After(30 * time.Second):
			assert.Fail(t, "it waits for the other one")
		}
	}))
	r.Header.Set("If-Match", tag)
	w := httptest.NewRecorder()
	con.ServeHTTP(w, r)
	assert.GreaterOrEqual(t, w.Code, http.StatusBadRequest)
	assert.InDelta(t, 7, control.Config().Kinds["session"].SpansPerSecond, 0)
}

func TestKindsThatAreAskedForAreBounded(t *testing.T) {
	con := console.New(console.Config{Timings: timings.New(timings.Config{})})
	w := get(t, con, "/api/timings/minutes?kind="+strings.Repeat("k", 2000))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.NotEmpty(t, errorText(t, w))
}

func TestNaiveSpansAreComparedWithThoseOfTraces(t *testing.T) {
	con := console.New(console.Config{})
	span := tracetest.SpanStub{
		Name: "s", SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}),
	}.Snapshot()
	con.OnEnd(span)
	con.OnEnd(span)                            // An exporter that tries again sends it twice.
	con.OnEnd(tracetest.SpanStub{}.Snapshot()) // It is of no trace.
	totals := samplingOf(t, con).Totals
	assert.Equal(t, 1, totals.Spans)
	assert.InDelta(t, 1, totals.Naive, 0)
}
