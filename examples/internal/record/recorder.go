// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package record keeps the spans of the examples, so that they can be shown.
package record

import (
	"context"
	"math"
	"slices"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces"
)

// Recorder is a span processor that keeps spans in a [traces.Store], and counts them.
type Recorder struct {
	store       atomic.Pointer[traces.Store] // nil if nothing is kept any more
	open, ended atomic.Int64
}

var _ sdktrace.SpanProcessor = (*Recorder)(nil)

// New makes a Recorder that keeps what config says. It takes spans at any rate, because the
// examples are to show all of them.
func New(config traces.Config) *Recorder {
	r := new(Recorder)
	config.PerSecond = -1
	r.store.Store(traces.New(config))
	return r
}

// OnStart implements sdktrace.SpanProcessor.
func (r *Recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) { r.open.Add(1) }

// OnEnd implements sdktrace.SpanProcessor: it keeps the span.
func (r *Recorder) OnEnd(span sdktrace.ReadOnlySpan) {
	r.Take(span)
	r.open.Add(-1)
}

// Take keeps a span that another program has made, of which OnStart was not told.
func (r *Recorder) Take(span sdktrace.ReadOnlySpan) {
	if store := r.store.Load(); store != nil {
		store.Add(span)
	}
	r.ended.Add(1)
}

// Shutdown implements sdktrace.SpanProcessor.
func (*Recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (*Recorder) ForceFlush(context.Context) error { return nil }

// Forget lets all spans go, and keeps none that end later.
func (r *Recorder) Forget() { r.store.Store(nil) }

// Open returns how many spans have begun and not ended.
func (r *Recorder) Open() int64 { return r.open.Load() }

// Ended returns how many spans have ended.
func (r *Recorder) Ended() int64 { return r.ended.Load() }

// LeftOut returns how many of these are not kept, or no longer.
func (r *Recorder) LeftOut() int64 {
	kept := 0
	if store := r.store.Load(); store != nil {
		kept = store.Totals().Kept
	}
	return r.ended.Load() - int64(kept)
}

// All returns the summaries of all traces that are kept, the one that came first before
// the others.
func (r *Recorder) All() (all []traces.Summary) {
	if store := r.store.Load(); store != nil {
		all, _ = store.Find(traces.Filter{Limit: math.MaxInt})
		slices.Reverse(all)
	}
	return all
}

// Trace returns what is kept of a trace, which has no spans if that is nothing.
func (r *Recorder) Trace(id trace.TraceID) (t traces.Trace) {
	if store := r.store.Load(); store != nil {
		t, _ = store.Trace(id)
	}
	return t
}
