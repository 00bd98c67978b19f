// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package record keeps the spans of the examples in memory, so that they can be shown.
package record

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Limits bounds what a [Recorder] keeps. A field that is zero means the default.
type Limits struct {
	Traces int // the latest; by default as many as fit
	Spans  int // of one trace, the first to end; 5,000 by default
	Bytes  int // of memory for all spans, about; 16 MiB by default
}

const (
	defaultSpans = 5000
	defaultBytes = 16 << 20
)

func (l Limits) orDefault() Limits {
	for _, field := range []struct {
		value *int
		then  int
	}{{&l.Traces, math.MaxInt}, {&l.Spans, defaultSpans}, {&l.Bytes, defaultBytes}} {
		if *field.value <= 0 {
			*field.value = field.then
		}
	}
	return l
}

// Recorder keeps the spans of the latest traces in memory. It forgets the oldest traces
// to make room, and cuts a trace that is too long, because users of the program decide
// how many spans there are and how long the traces become.
type Recorder struct {
	limits Limits
	open   atomic.Int64

	mu     sync.Mutex
	traces map[trace.TraceID]*kept
	order  []trace.TraceID // oldest first
	bytes  int             // of all that is kept
	counts Counts
}

// kept holds the spans of one trace.
type kept struct {
	spans []sdktrace.ReadOnlySpan
	bytes int
}

// Counts says how many spans a [Recorder] has got.
type Counts struct {
	Spans   int // that have ended
	LeftOut int // of those, the ones that are not kept, or no longer
}

var _ sdktrace.SpanProcessor = (*Recorder)(nil)

// New makes a Recorder that keeps the latest traces within limits.
func New(limits Limits) *Recorder {
	return &Recorder{limits: limits.orDefault(), traces: make(map[trace.TraceID]*kept)}
}

// OnStart implements sdktrace.SpanProcessor.
func (r *Recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) { r.open.Add(1) }

// Open returns how many spans have begun and not ended.
func (r *Recorder) Open() int64 { return r.open.Load() }

// OnEnd implements sdktrace.SpanProcessor: it keeps the span.
func (r *Recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	defer r.open.Add(-1)
	id, size := s.SpanContext().TraceID(), sizeOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Spans++
	t := r.traces[id]
	if t == nil {
		t = &kept{bytes: traceBytes}
		r.traces[id] = t
		r.order = append(r.order, id)
		r.bytes += traceBytes
	}
	for r.order[0] != id && (len(r.order) > r.limits.Traces || r.bytes+size > r.limits.Bytes) {
		r.forget()
	}
	if len(t.spans) >= r.limits.Spans || r.bytes+size > r.limits.Bytes {
		r.counts.LeftOut++
		return
	}
	t.spans = append(t.spans, s)
	t.bytes += size
	r.bytes += size
}

// forget forgets the oldest trace.
func (r *Recorder) forget() {
	oldest := r.traces[r.order[0]]
	delete(r.traces, r.order[0])
	r.order = r.order[1:]
	r.bytes -= oldest.bytes
	r.counts.LeftOut += len(oldest.spans)
}

// Shutdown implements sdktrace.SpanProcessor.
func (*Recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (*Recorder) ForceFlush(context.Context) error { return nil }

// Trace returns the spans of one trace that are kept, in the order of their end.
func (r *Recorder) Trace(id trace.TraceID) []sdktrace.ReadOnlySpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.traces[id]; t != nil {
		return slices.Clone(t.spans)
	}
	return nil
}

// Traces returns the IDs of the traces kept, oldest first.
func (r *Recorder) Traces() []trace.TraceID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// Counts returns the counts so far.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}
