// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// CarryPolicy says what a message takes along from its sender's context.
// envelope.CarryPolicy has the same fields.
type CarryPolicy struct {
	Unsampled            bool
	DropUnsampledBaggage bool
}

// Header returns a header with what p takes from ctx. If that is nothing, it returns
// nil and does not allocate.
func (p CarryPolicy) Header(ctx context.Context) *Header {
	if ctx == nil || ctx == context.Background() {
		return nil // The rest would find the same, in ten times the time.
	}
	var sc trace.SpanContext
	if span := trace.SpanFromContext(ctx); !sentinel.IsCurrent(span) {
		sc = span.SpanContext()
	}
	if sc.IsSampled() && sc.IsValid() {
		return newSampled(ctx, sc)
	}
	var bag baggage.Baggage
	if !p.DropUnsampledBaggage {
		bag = baggage.FromContext(ctx)
	}
	switch {
	case p.Unsampled && sc.IsValid() && !sentinel.Is(sc):
		return &Header{spanContext: sc, beside: tracestate.FromContext(ctx).Of(sc.TraceID()), baggage: bag}
	case bag.Len() > 0:
		return &Header{baggage: bag}
	default:
		return nil
	}
}

// newSampled returns the header of a message with a sampled trace that is sent now from
// ctx.
func newSampled(ctx context.Context, sc trace.SpanContext) *Header {
	h := &Header{
		spanContext: sc, beside: tracestate.FromContext(ctx).Of(sc.TraceID()),
		baggage: baggage.FromContext(ctx), sentAt: time.Now(), hops: 1,
	}
	last, ok := ctx.Value(chainKey{}).(*Header)
	if ok && last.spanContext.TraceID() == sc.TraceID() {
		h.hops = min(last.hops+1, MaxHops)
		h.age = older(last.age, h.sentAt.Sub(last.sentAt))
	}
	return h
}
