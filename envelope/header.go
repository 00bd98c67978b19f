// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/nonrecording"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Header is what travels beside a message. It never changes once made and may
// be shared by any number of messages and goroutines. All methods work on a
// nil Header, which is the header of a message that carries nothing.
type Header struct {
	spanContext trace.SpanContext
	beside      *tracestate.Beside // the rest of the tracestate of spanContext
	baggage     baggage.Baggage
	sentAt      time.Time
	// Of a sampled message: where it is in the chain of messages of its trace.
	age  time.Duration
	hops int32
	// It is one that was chosen not to continue the trace of spanContext; shown
	// has its receiver learn of it all the same.
	skipped, shown bool
	chosen, linked bool // The choice fell on it.

	caller *caller.Caller // To whose span a boundary links, in place of spanContext.
}

// SpanContext returns the sender's span context. It is not valid if the
// message carries no trace.
func (h *Header) SpanContext() trace.SpanContext {
	switch {
	case h == nil, h.skipped && !h.shown:
		return trace.SpanContext{}
	case h.skipped:
		return h.spanContext.WithTraceFlags(h.spanContext.TraceFlags() &^ trace.FlagsSampled)
	default:
		return h.spanContext
	}
}

// Skip returns the header of a message that a choice made not to continue the
// trace: not sampled, but with [Header.Skipped] it can still be told what became
// of it. c says whether its receiver gets the unsampled context. A header that is
// not sampled is returned as it is.
func (h *Header) Skip(c Carry) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.skipped, next.shown = true, c.Unsampled
	return &next
}

// Choose returns the header of a message that a choice made to continue the
// trace, or, if linked, to begin one of its own that is linked to this one. A
// header that is not sampled is returned as it is.
func (h *Header) Choose(linked bool) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.chosen, next.linked = true, linked
	return &next
}

// Linked reports whether the handling of the message should begin a trace of its
// own, linked to the header's span context.
func (h *Header) Linked() bool { return h != nil && h.linked }

// Chosen reports whether a choice made the message continue the trace.
func (h *Header) Chosen() bool { return h != nil && h.chosen }

// Skipped returns the sampled span context that the message does not continue,
// because the choice did not fall on it; not valid for any other message.
func (h *Header) Skipped() trace.SpanContext {
	if h == nil || !h.skipped {
		return trace.SpanContext{}
	}
	return h.spanContext
}

// Sampled reports whether the message carries a sampled trace.
func (h *Header) Sampled() bool { return h != nil && !h.skipped && h.spanContext.IsSampled() }

// Baggage returns the sender's baggage, empty if there was none.
func (h *Header) Baggage() baggage.Baggage {
	if h == nil {
		return baggage.Baggage{}
	}
	return h.baggage
}

// SentAt returns when the message was sent: for a sampled or skipped message the
// exact time with its monotonic reading, for all others the zero time. What came
// over a [Wire] has its sender's time, but none after it was read.
func (h *Header) SentAt() time.Time {
	if h == nil {
		return time.Time{}
	}
	return h.sentAt
}

// Hops returns how many messages, this one included, have handed the trace on one
// after the other: 1 for the first. The chain begins where the trace came into an
// operating system process by other means than a [Wire]. It is 0 for a message
// without a sampled trace, and stops at 2³⁰.
func (h *Header) Hops() int {
	if h == nil || h.skipped {
		return 0
	}
	return int(h.hops)
}

// Age returns how long ago, when this message was sent, the first of those that
// Hops counts had been sent. It stops at 3,650 days.
func (h *Header) Age() time.Duration {
	if h == nil || h.skipped {
		return 0
	}
	return h.age
}

func (h *Header) empty() bool {
	return h == nil || !h.spanContext.IsValid() && h.baggage.Len() == 0 && h.caller == nil
}

// WithSpanContext returns a copy of h that carries sc instead. If sc is sampled
// and h has no time of sending, the copy's is the present. An sc that is not
// valid leaves the baggage alone; the result is nil if there is none.
func (h *Header) WithSpanContext(sc trace.SpanContext) *Header {
	if !sc.IsValid() {
		if h.Baggage().Len() == 0 {
			return nil
		}
		sc = trace.SpanContext{} // It may have had the sampled flag.
	}
	next := Header{spanContext: sc, baggage: h.Baggage()}
	if h != nil {
		next.beside = h.beside.Of(sc.TraceID())
	}
	if next.Sampled() {
		if next.sentAt = h.SentAt(); next.sentAt.IsZero() {
			next.sentAt = time.Now()
		}
		if next.hops = 1; h.Sampled() && h.spanContext.TraceID() == sc.TraceID() {
			next.hops, next.age = h.hops, h.age
		}
	}
	return &next
}

// WithSentAt returns a copy of h that was sent at t, for a message that is sent
// later than its header was made. A header without a sampled trace has no time
// of sending, and is returned as it is.
func (h *Header) WithSentAt(t time.Time) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.sentAt = t
	next.age = older(h.age, t.Sub(h.sentAt))
	return &next
}

// Context returns parent with h's span context and baggage on top. It takes
// neither away from parent: begin with [Untraced] where parent may hold those
// of another trace, which puts the [Sentinel] there as well. Cancellation and
// deadline are parent's own.
func (h *Header) Context(parent context.Context) context.Context {
	if h == nil {
		return parent
	}
	if h.skipped && !h.shown && h.baggage.Len() == 0 {
		return parent // As the rest would find out, at several times the cost.
	}
	if sc := h.SpanContext(); sc.IsValid() && !IsSentinel(sc) {
		if h.Sampled() {
			parent = h.chain(parent)
		} else {
			parent = tracestate.ContextWith(nonrecording.ContextWith(parent, sc), h.beside)
		}
	} else if h.caller != nil {
		parent = h.root(parent)
	}
	if h.baggage.Len() > 0 {
		parent = baggage.ContextWithBaggage(parent, h.baggage)
	}
	return parent
}

func (h *Header) chain(parent context.Context) context.Context {
	if nonrecording.Key == nil {
		parent = trace.ContextWithSpanContext(parent, h.spanContext)
	}
	return &chained{parent, h, nonrecording.NewSpan(&h.spanContext)}
}

// newSampled returns the header of a message that is sent now from ctx.
func newSampled(ctx context.Context, sc trace.SpanContext) *Header {
	h := &Header{
		spanContext: sc, beside: tracestate.FromContext(ctx).Of(sc.TraceID()),
		baggage: baggage.FromContext(ctx), sentAt: time.Now(), hops: 1,
	}
	last, ok := ctx.Value(chainKey{}).(*Header)
	if ok && last.spanContext.TraceID() == sc.TraceID() {
		h.hops = min(last.hops+1, maxHops)
		h.age = older(last.age, h.sentAt.Sub(last.sentAt))
	}
	return h
}

// Carry says what a message takes along from its sender's context. The zero
// value is the default: sampled traces and all baggage.
type Carry struct {
	// Unsampled takes the context of unsampled traces along too, for logs that
	// want the true trace ID. It costs one allocation a message.
	Unsampled bool
	// DropUnsampledBaggage leaves the baggage behind where the sender's trace
	// is not sampled. Baggage is the application's data: drop it only where
	// nothing but traces reads it.
	DropUnsampledBaggage bool
}

// Header returns what c takes from ctx: nil, and no allocation, if that is
// nothing.
func (c Carry) Header(ctx context.Context) *Header {
	if ctx == context.Background() {
		return nil // As the rest would find out, at a tenth of the time.
	}
	var sc trace.SpanContext
	if span := trace.SpanFromContext(ctx); !sentinel.IsCurrent(span) {
		sc = span.SpanContext()
	}
	if sc.IsSampled() && sc.IsValid() {
		return newSampled(ctx, sc)
	}
	var bag baggage.Baggage
	if !c.DropUnsampledBaggage {
		bag = baggage.FromContext(ctx)
	}
	switch {
	case c.Unsampled && sc.IsValid() && !IsSentinel(sc):
		return &Header{spanContext: sc, beside: tracestate.FromContext(ctx).Of(sc.TraceID()), baggage: bag}
	case bag.Len() > 0:
		return &Header{baggage: bag}
	default:
		return nil
	}
}
