// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// sentinel is made once per operating system process. Its lower half is far
// above the threshold of every ratio sampler that samples less than 99.6 %,
// so even a sampler that looks at the ID and not at the flag leaves it alone.
var sentinel = newSentinel()

func newSentinel() trace.SpanContext {
	var traceID trace.TraceID
	var spanID trace.SpanID
	// Zero in either half would make the identifier invalid or less telling.
	binary.BigEndian.PutUint64(traceID[:8], rand.Uint64()|1)
	traceID[8] = 0xff
	binary.BigEndian.PutUint64(spanID[:], rand.Uint64()|1)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID})
}

// Sentinel returns the span context that stands for "no trace": valid and not
// sampled, the same for the whole life of the operating system process. A
// handler of an untraced message has it in its context. Parent-based samplers
// therefore start nothing below it, and calls over HTTP and gRPC go out
// unsampled; without it, every one of those would become the sampled root of a
// trace of its own. Its trace ID is 8 random bytes, ff, and seven zero bytes.
func Sentinel() trace.SpanContext { return sentinel }

// IsSentinel reports whether sc is the [Sentinel] or a non-recording child of it.
func IsSentinel(sc trace.SpanContext) bool {
	return sc.TraceID() == sentinel.TraceID() && !sc.IsSampled()
}

// Untraced returns ctx with the [Sentinel] in place of its span and without
// its baggage. It returns ctx itself, without allocating, if ctx is so already.
func Untraced(ctx context.Context) context.Context {
	if baggage.FromContext(ctx).Len() > 0 {
		ctx = baggage.ContextWithoutBaggage(ctx)
	}
	// A sampler may record, without sampling, even below the sentinel.
	if span := trace.SpanFromContext(ctx); span.IsRecording() || !IsSentinel(span.SpanContext()) {
		ctx = trace.ContextWithSpanContext(ctx, sentinel)
	}
	return ctx
}
