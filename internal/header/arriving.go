// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// arriving is a context from which a message is handed on that another machine has sent.
type arriving struct {
	context.Context //nolint:containedctx // It is a context itself.

	header *Header
	queued func() // of a call, what is told that its place is decided; may be nil
}

// Arrive returns a context to hand a message on from that has come from another machine
// with header h, which may be nil. A message that is sent from it has h, so far as the carry
// policy takes that along, and a call has no span here: the caller has one. The context has
// the deadline, the cancellation and the values of parent, which must not be in a trace. It
// must be given to Send, TrySend or Call itself, and not one that is derived from it.
func Arrive(parent context.Context, h *Header) context.Context {
	return &arriving{Context: parent, header: h}
}

// ArriveCall is Arrive for a call. queued is called when its place among the messages of its
// process is decided: when the mailbox has taken it, or has it wait for room, or has refused
// it. It may be called more than once, and must not block.
func ArriveCall(parent context.Context, h *Header, queued func()) context.Context {
	return &arriving{parent, h, queued}
}

// Queued tells whoever waits for it that the place of the call from ctx is decided. Any other
// context than that of [ArriveCall] is nothing to it.
func Queued(ctx context.Context) {
	if a, ok := ctx.(*arriving); ok && a.queued != nil {
		a.queued()
	}
}

// Arriving reports whether ctx is one that [Arrive] has returned.
func Arriving(ctx context.Context) bool {
	_, ok := ctx.(*arriving)
	return ok
}

// takeFrom returns what p takes from the header of a message that is handed on.
func (p CarryPolicy) takeFrom(h *Header) *Header {
	if h == nil || h.Sampled() {
		return h
	}
	rest := *h
	if h.spanContext.IsValid() && !p.Unsampled {
		rest.spanContext, rest.beside = trace.SpanContext{}, nil
	}
	if p.DropUnsampledBaggage {
		rest.baggage = baggage.Baggage{}
	}
	if rest.Empty() {
		return nil
	}
	return &rest
}
