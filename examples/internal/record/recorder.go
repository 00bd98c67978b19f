// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package record keeps the spans of the examples in memory, to be shown.
package record

import (
	"context"
	"slices"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Recorder keeps the spans of the latest traces in memory.
type Recorder struct {
	max int

	mu     sync.Mutex
	traces map[trace.TraceID][]sdktrace.ReadOnlySpan
	order  []trace.TraceID // oldest first
	spans  int             // of all traces, forgotten ones included
}

var _ sdktrace.SpanProcessor = (*Recorder)(nil)

// New makes one that keeps the latest traces, at most so many; with 0
// or less, all.
func New(traces int) *Recorder {
	return &Recorder{max: traces, traces: make(map[trace.TraceID][]sdktrace.ReadOnlySpan)}
}

// OnStart implements sdktrace.SpanProcessor.
func (*Recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor: it keeps the span.
func (r *Recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	id := s.SpanContext().TraceID()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans++
	if _, known := r.traces[id]; !known {
		r.order = append(r.order, id)
		if r.max > 0 && len(r.order) > r.max {
			delete(r.traces, r.order[0])
			r.order = slices.Delete(r.order, 0, 1)
		}
	}
	r.traces[id] = append(r.traces[id], s)
}

// Shutdown implements sdktrace.SpanProcessor.
func (*Recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (*Recorder) ForceFlush(context.Context) error { return nil }

// Trace returns the spans of one trace that have ended, in that order.
func (r *Recorder) Trace(id trace.TraceID) []sdktrace.ReadOnlySpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.traces[id])
}

// Traces returns the IDs of the traces kept, oldest first.
func (r *Recorder) Traces() []trace.TraceID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// Spans returns how many spans have ended so far.
func (r *Recorder) Spans() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans
}
