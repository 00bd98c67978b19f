// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sentinel has the span that stands for "no trace" in the context of a handler.
// Its span context is valid, is not sampled, and has another trace ID each time.
//
// The first half of the trace ID is drawn each time that somebody asks for the span
// context. A sampler that does not honour an unsampled parent records spans that are
// started below the sentinel. If there were only one trace ID, the spans of all
// untraced messages would gather in one trace that never ends.
package sentinel

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/nonrecording"
)

// lower is the second half of each sentinel's trace ID. It is above the threshold of
// every ratio sampler that samples less than 99.6 %. So a sampler that looks at the ID
// and not at the flag does not sample it either.
const lower = 0xff << 56

// spanID is the span ID of all sentinels of this operating system process.
var spanID = func() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1) // Zero would be invalid.
	return id
}()

// SpanContext returns the span context of a sentinel, with a trace ID of its own. It
// allocates nothing, and any number of goroutines may call it.
func SpanContext() trace.SpanContext {
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()|1) // Not zero, so that it looks like a trace ID.
	binary.BigEndian.PutUint64(id[8:], lower)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: spanID})
}

// Is reports whether sc is a sentinel, of this operating system process or of another,
// or an unsampled span below one. It looks at the shape of the trace ID. A random trace
// ID has that shape once in 2⁶⁴.
func Is(sc trace.SpanContext) bool {
	id := sc.TraceID()
	return binary.BigEndian.Uint64(id[8:]) == lower && !sc.IsSampled()
}

// span is the sentinel as the current span of a context.
type span struct{ nonrecording.Span }

// SpanContext implements trace.Span.
func (*span) SpanContext() trace.SpanContext { return SpanContext() }

// current is the sentinel in all contexts. It has no state.
var current = func() trace.Span {
	sc := SpanContext()
	return &span{nonrecording.NewSpan(&sc)}
}()

// ContextWith returns parent with the sentinel as its current span.
func ContextWith(parent context.Context) context.Context {
	return trace.ContextWithSpan(parent, current)
}

// IsCurrent reports whether s, the current span of a context, was put there by
// [ContextWith]. That is cheaper than to ask s for its span context.
func IsCurrent(s trace.Span) bool { return s == current }
