// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/handling"
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
	handling.Check(ctx)
	if ctx == nil || ctx == context.Background() {
		return nil // The rest would find the same, in ten times the time.
	}
	h, _ := p.take(ctx, false)
	return h
}

// HeaderWithDecision is Header for a message whose receiver may start a trace. If ctx is in
// a trace or in a handling without one, and p takes none of that, the header is one that is
// not [Header.Undecided]. It does not allocate more.
func (p CarryPolicy) HeaderWithDecision(ctx context.Context) *Header {
	handling.Check(ctx)
	if ctx == nil || ctx == context.Background() {
		return nil
	}
	h, decided := p.take(ctx, true)
	switch {
	case !decided:
		return h
	case h == nil:
		return onlyDecided
	default:
		h.decided = true // Nobody else has it yet.
		return h
	}
}

// onlyDecided is the header of messages that carry nothing, because it was decided that
// they shall not.
var onlyDecided = &Header{decided: true}

// take returns what p takes from ctx, and if asked, whether it has left the decision of a
// sender behind who is not in a sampled trace.
func (p CarryPolicy) take(ctx context.Context, ask bool) (h *Header, decided bool) {
	if a, ok := ctx.(*arriving); ok {
		return p.takeFrom(a.header), false
	}
	var sc trace.SpanContext
	span := trace.SpanFromContext(ctx)
	if decided = sentinel.IsCurrent(span); !decided {
		sc = span.SpanContext()
		decided = ask && sc.IsValid()
	}
	if sc.IsSampled() && sc.IsValid() {
		return newSampled(ctx, sc), false
	}
	var bag baggage.Baggage
	if !p.DropUnsampledBaggage {
		bag = baggage.FromContext(ctx)
	}
	switch {
	case p.Unsampled && sc.IsValid() && !sentinel.Is(sc):
		return &Header{spanContext: sc, beside: tracestate.FromContext(ctx).Of(sc.TraceID()), baggage: bag}, false
	case bag.Len() > 0:
		return &Header{baggage: bag}, decided
	default:
		return nil, decided
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
