// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package web is the page of the example: a chat, its traces as waterfalls.
package web

import (
	"embed"
	"encoding/json"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
)

//go:embed index.html page.js page.css
var files embed.FS

// listed is how many traces the page lists.
const listed = 30

// Config is what the page needs to know.
type Config struct {
	Guilds   int
	Recorder *record.Recorder
}

// Handler serves the page, and the traces as JSON under /api.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/config", c.config)
	mux.HandleFunc("GET /api/traces", c.traces)
	mux.HandleFunc("GET /api/traces/{id}", c.trace)
	return mux
}

// config tells the page what it cannot know.
func (c Config) config(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"guilds": c.Guilds})
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
		t := report.NewTrace(ids[i], c.Recorder.Trace(ids[i]))
		if len(t.Spans) == 0 { // Forgotten since.
			continue
		}
		l := line{TraceID: t.TraceID, Name: t.Spans[0].Name, Start: t.Spans[0].StartUnixNano, Spans: len(t.Spans)}
		for _, s := range t.Spans {
			l.DurationNS = max(l.DurationNS, s.StartUnixNano+s.DurationNS-l.Start)
		}
		lines = append(lines, l)
	}
	answer(w, lines)
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
