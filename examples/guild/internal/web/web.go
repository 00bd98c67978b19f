// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package web is the page of the example: a chat, its traces as waterfalls.
package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
)

//go:embed index.html frames.js feed.js posts.js page.js page.css
var files embed.FS

// listed is how many traces the page lists.
const listed = 30

// viewTime is how long a guild may take to say what there is to see.
const viewTime = 2 * time.Second

// Config is what the page needs to know.
type Config struct {
	Guilds   int
	View     func(ctx context.Context, guild int64) (guilds.View, error)
	Recorder *record.Recorder
}

// Handler serves the page, and the traces as JSON under /api.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/config", c.config)
	mux.HandleFunc("GET /api/guilds/{guild}", c.guild)
	mux.HandleFunc("GET /api/traces", c.traces)
	mux.HandleFunc("GET /api/traces/{id}", c.trace)
	return mux
}

// config tells the page what it cannot know.
func (c Config) config(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"guilds": c.Guilds})
}

// guild tells what there is to see of a guild.
func (c Config) guild(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("guild"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), viewTime)
	defer cancel()
	switch v, err := c.View(ctx, id); {
	case errors.Is(err, chat.ErrUnknownGuild):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, "the guild does not answer", http.StatusServiceUnavailable)
	default:
		answer(w, map[string]int64{
			"guild": id, "here": v.Here, "peak": v.Peak, "joins": v.Joins, "lost": v.Lost, "last": v.Seq,
		})
	}
}

// line is a trace in the list.
type line struct {
	TraceID    string `json:"trace_id"`
	Name       string `json:"name"`
	Start      int64  `json:"start_unix_nano"`
	DurationNS int64  `json:"duration_ns"`
	Spans      int    `json:"spans"`
}

// traces lists the latest traces, newest first.
func (c Config) traces(w http.ResponseWriter, _ *http.Request) {
	ids := c.Recorder.Traces()
	lines := make([]line, 0, listed)
	for i := len(ids) - 1; i >= 0 && len(lines) < listed; i-- {
		if spans := c.Recorder.Trace(ids[i]); len(spans) > 0 { // Else it was forgotten since.
			lines = append(lines, newLine(spans))
		}
	}
	answer(w, lines)
}

// newLine sums up the spans of a trace, without a copy of what they hold: anybody may
// ask for the list, as often as they like.
func newLine(spans []sdktrace.ReadOnlySpan) line {
	first, end := spans[0], spans[0].EndTime()
	for _, s := range spans {
		if s.StartTime().Before(first.StartTime()) {
			first = s
		}
		if s.EndTime().After(end) {
			end = s.EndTime()
		}
	}
	return line{
		TraceID:    first.SpanContext().TraceID().String(),
		Name:       first.Name(),
		Start:      first.StartTime().UnixNano(),
		DurationNS: end.Sub(first.StartTime()).Nanoseconds(),
		Spans:      len(spans),
	}
}

// trace answers with one trace.
func (c Config) trace(w http.ResponseWriter, r *http.Request) {
	id, err := trace.TraceIDFromHex(r.PathValue("id"))
	if err != nil {
		http.Error(w, "not a trace ID", http.StatusBadRequest)
		return
	}
	t := report.NewTrace(id, c.Recorder.Trace(id))
	if len(t.Spans) == 0 {
		http.NotFound(w, r)
		return
	}
	answer(w, t)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // A client that has gone does not matter.
}
