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
	h, _ := p.take(ctx, nil, false)
	return h
}

// HeaderIn is Header for a message that is written at once. If it needs a new header, it makes
// it in room, which must be empty and which nobody else may have. So nothing is allocated.
func (p CarryPolicy) HeaderIn(ctx context.Context, room *Header) *Header {
	handling.Check(ctx)
	if ctx == nil || ctx == context.Background() {
		return nil // As in Header.
	}
	h, _ := p.take(ctx, room, false)
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
	h, decided := p.take(ctx, nil, true)
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
// sender behind who is not in a sampled trace. A new header is made in room, or allocated if
// room is nil.
func (p CarryPolicy) take(ctx context.Context, room *Header, ask bool) (h *Header, decided bool) {
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
		h = newIn(room)
		h.begin(ctx, sc)
		return h, false
	}
	var bag baggage.Baggage
	if !p.DropUnsampledBaggage {
		bag = baggage.FromContext(ctx)
	}
	switch {
	case p.Unsampled && sc.IsValid() && !sentinel.Is(sc):
		h = newIn(room)
		h.spanContext, h.beside, h.baggage = sc, tracestate.FromContext(ctx).Of(sc.TraceID()), bag
		return h, false
	case bag.Len() > 0:
		h = newIn(room)
		h.baggage = bag
		return h, decided
	default:
		return nil, decided
	}
}

// newIn returns an empty header: room, or a new one if that is nil.
func newIn(room *Header) *Header {
	if room == nil {
		return new(Header)
	}
	return room
}

// begin makes h, which is empty, the header of a message with a sampled trace that is sent now
// from ctx.
func (h *Header) begin(ctx context.Context, sc trace.SpanContext) {
	h.spanContext, h.beside = sc, tracestate.FromContext(ctx).Of(sc.TraceID())
	h.baggage, h.sentAt, h.hops = baggage.FromContext(ctx), time.Now(), 1
	last, ok := ctx.Value(chainKey{}).(*Header)
	if ok && last.spanContext.TraceID() == sc.TraceID() {
		h.hops = min(last.hops+1, MaxHops)
		h.age = older(last.age, h.sentAt.Sub(last.sentAt))
	}
}
