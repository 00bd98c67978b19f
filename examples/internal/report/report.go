// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package report turns recorded spans into a JSON report, a waterfall, and a summary of
// what sampling did.
package report

import (
	"slices"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Report is the report of a run.
type Report struct {
	Summary Summary `json:"summary"`
	Traces  []Trace `json:"traces"`
}

// Summary counts what happened in a run.
type Summary struct {
	Posts     int64 `json:"posts"`     // that were stored
	Sessions  int64 `json:"sessions"`  // that have been in a guild
	Delivered int64 `json:"delivered"` // messages to sessions
	CaughtUp  int64 `json:"caught_up"` // those of them that came from the store
	Gone      int64 `json:"gone"`      // messages that sessions were told are no longer stored
	Behind    int64 `json:"behind"`    // sessions that ended because their client could not keep up
	Spans     int   `json:"spans"`     // that ended
	// SpansLeftOut is how many spans are not in the report, because the memory for
	// spans is limited.
	SpansLeftOut int `json:"spans_left_out"`
}

// Trace is a trace with its spans in the order in which they started.
type Trace struct {
	TraceID string `json:"trace_id"`
	Spans   []Span `json:"spans"`
}

// Span is one span.
type Span struct {
	Service       string         `json:"service"`
	Instance      string         `json:"instance,omitempty"` // of the service, if there may be several
	Name          string         `json:"name"`
	Kind          string         `json:"kind"`
	SpanID        string         `json:"span_id"`
	ParentID      string         `json:"parent_id"` // empty for a root
	StartUnixNano int64          `json:"start_unix_nano"`
	DurationNS    int64          `json:"duration_ns"`
	Error         string         `json:"error,omitempty"`
	Attributes    map[string]any `json:"attributes"`
	Links         []Link         `json:"links"`
}

// Link is a link of a span to another.
type Link struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

// NewTrace makes a Trace of the recorded spans of one trace.
func NewTrace(id trace.TraceID, recorded []sdktrace.ReadOnlySpan) Trace {
	t := Trace{TraceID: id.String(), Spans: make([]Span, 0, len(recorded))}
	for _, s := range recorded {
		t.Spans = append(t.Spans, newSpan(s))
	}
	slices.SortStableFunc(t.Spans, func(a, b Span) int { return int(a.StartUnixNano - b.StartUnixNano) })
	return t
}

func newSpan(s sdktrace.ReadOnlySpan) Span {
	span := Span{
		Name:          s.Name(),
		Kind:          s.SpanKind().String(),
		SpanID:        s.SpanContext().SpanID().String(),
		StartUnixNano: s.StartTime().UnixNano(),
		DurationNS:    s.EndTime().Sub(s.StartTime()).Nanoseconds(),
		Error:         s.Status().Description,
		Attributes:    make(map[string]any, len(s.Attributes())),
		Links:         make([]Link, 0, len(s.Links())),
	}
	if s.Parent().SpanID().IsValid() {
		span.ParentID = s.Parent().SpanID().String()
	}
	service, _ := s.Resource().Set().Value(semconv.ServiceNameKey)
	instance, _ := s.Resource().Set().Value(semconv.ServiceInstanceIDKey)
	span.Service, span.Instance = service.AsString(), instance.AsString()
	for _, a := range s.Attributes() {
		span.Attributes[string(a.Key)] = a.Value.AsInterface()
	}
	for _, l := range s.Links() {
		span.Links = append(span.Links, Link{l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String()})
	}
	return span
}
