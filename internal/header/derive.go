// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// Skip returns the header for a recipient that a fan-out skips. The header is not
// sampled. A late span finds the trace by [Header.Skipped]. shown says whether the
// recipient gets the unsampled context. If h is not sampled, Skip returns h.
func (h *Header) Skip(shown bool) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.skipped, next.shown = true, shown
	return &next
}

// ForSampled returns the header for a recipient that a fan-out samples. Its handling
// continues the trace, or, if linked, starts a trace of its own with a link to this
// one. If h is not sampled, ForSampled returns h.
func (h *Header) ForSampled(linked bool) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.sampledByFanout, next.linked = true, linked
	return &next
}

// WithSpanContext returns a copy of h that carries sc instead. If sc is sampled and h
// has no time of sending, the copy's time of sending is now. If sc is not valid, the
// copy has the baggage and no trace, and it is nil if there is no baggage.
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
		if next.sentAt, next.crossed = h.SentAt(), h.Crossed(); next.sentAt.IsZero() {
			next.sentAt = time.Now()
		}
		if next.hops = 1; h.Sampled() && h.spanContext.TraceID() == sc.TraceID() {
			next.hops, next.age = h.hops, h.age
		}
	}
	return &next
}

// Decided returns h as that of a message for which nobody may start a trace.
func (h *Header) Decided() *Header {
	if !h.Undecided() {
		return h
	}
	if h.Empty() {
		return onlyDecided
	}
	next := *h
	next.decided = true
	return &next
}

// DecidedBy returns h as that of a message for which nobody may start a trace, if it was
// sent from ctx and ctx is in a trace, sampled or not, or in a handling without one.
func (h *Header) DecidedBy(ctx context.Context) *Header {
	if !h.Undecided() || !trace.SpanContextFromContext(ctx).IsValid() {
		return h
	}
	return h.Decided()
}

// WithSentAt returns a copy of h with the time of sending t, for a message that is sent
// after its header was made. A header without a sampled trace has no time of sending,
// and WithSentAt returns it.
func (h *Header) WithSentAt(t time.Time) *Header {
	if !h.Sampled() {
		return h
	}
	next := *h
	next.sentAt, next.crossed = t, false
	next.age = older(h.age, t.Sub(h.sentAt))
	return &next
}

// WithoutBaggage returns a copy of h, which must not be nil, without its baggage.
func (h *Header) WithoutBaggage() *Header {
	next := *h
	next.baggage = baggage.Baggage{}
	return &next
}
