// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/web"
	"github.com/waybill-go/waybill/examples/internal/record"
)

// ask returns the JSON that the page gets.
func ask(t *testing.T, r *record.Recorder, path string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	web.Handler(web.Config{Guilds: 1, Recorder: r}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), into))
}

type line struct {
	TraceID    string `json:"trace_id"`
	Name       string `json:"name"`
	Start      int64  `json:"start_unix_nano"`
	DurationNS int64  `json:"duration_ns"`
	Spans      int    `json:"spans"`
}

// The page gets what there is to see of a guild, and no more of a failure than that
// there was one.
func TestTheViewOfAGuild(t *testing.T) {
	get := func(path string, view guilds.View, err error) (status int, body string) {
		c := web.Config{View: func(_ context.Context, guild int64) (guilds.View, error) {
			assert.EqualValues(t, 7, guild)
			return view, err
		}}
		w := httptest.NewRecorder()
		web.Handler(c).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	status, body := get("/api/guilds/7", guilds.View{
		Here: 1, GuildState: chat.GuildState{Seq: 2, Joins: 3, Peak: 4, Lost: 5},
	}, nil)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"guild":7,"here":1,"last":2,"joins":3,"peak":4,"lost":5}`, body)
	status, _ = get("/api/guilds/7", guilds.View{}, fmt.Errorf("guild 7: %w", chat.ErrUnknownGuild))
	assert.Equal(t, http.StatusNotFound, status)
	status, body = get("/api/guilds/7", guilds.View{}, errors.New("secret"))
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.NotContains(t, body, "secret")
	status, _ = get("/api/guilds/seven", guilds.View{}, nil)
	assert.Equal(t, http.StatusNotFound, status)
}

// The list says of each trace what its spans say together, the newest first.
func TestTheListOfTraces(t *testing.T) {
	r := record.New(record.Limits{})
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
	begun := time.Now()
	at := func(d time.Duration) trace.SpanEventOption { return trace.WithTimestamp(begun.Add(d)) }
	for _, name := range []string{"old", "new"} {
		ctx, root := tracer.Start(t.Context(), name, at(0))
		_, child := tracer.Start(ctx, "child", at(time.Second))
		root.End(at(2 * time.Second))
		child.End(at(5 * time.Second)) // A message may be handled after its sender is done.
	}
	var lines []line
	ask(t, r, "/api/traces", &lines)
	ids := r.Traces()
	assert.Equal(t, []line{
		{ids[1].String(), "new", begun.UnixNano(), 5e9, 2},
		{ids[0].String(), "old", begun.UnixNano(), 5e9, 2},
	}, lines)
}

// The list costs about the same however much its traces hold.
func TestTheListCopiesNoSpans(t *testing.T) {
	r := record.New(record.Limits{})
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
	const traces, spans = 10, 500
	for range traces {
		ctx, root := tracer.Start(t.Context(), "root")
		for range spans {
			_, span := tracer.Start(ctx, "child")
			span.End()
		}
		root.End()
	}
	var lines []line
	allocs := testing.AllocsPerRun(5, func() { ask(t, r, "/api/traces", &lines) })
	require.Len(t, lines, traces)
	assert.Less(t, allocs, float64(traces*spans/5))
}
