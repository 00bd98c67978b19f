// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Context returns parent with h's span context and baggage. Where h has none, those of
// parent stay. If parent may hold those of another trace, call [Untraced] first, which
// also adds the sentinel. Cancellation and deadline are those of parent.
func (h *Header) Context(parent context.Context) context.Context {
	ctx, _ := h.ContextWithRoom(parent)
	return ctx
}

// ContextWithRoom is Context, and returns the room that it has for the handling of the message.
// It is nil if there is none.
func (h *Header) ContextWithRoom(parent context.Context) (_ context.Context, room *handling.Room) {
	if h.LeavesContext() {
		return parent, nil
	}
	if sc := h.SpanContext(); sc.IsValid() && !sentinel.Is(sc) {
		if h.Sampled() {
			parent, room = h.chain(parent)
		} else {
			parent = tracestate.ContextWith(trace.ContextWithSpanContext(parent, sc), h.beside)
		}
	} else if h.caller != nil {
		parent = h.root(parent)
	}
	if h.baggage.Len() > 0 {
		parent = baggage.ContextWithBaggage(parent, h.baggage)
	}
	return parent, room
}

// LeavesContext reports whether Context returns its parent, because the message brings its
// recipient neither a trace nor baggage. It knows the headers of which there are very many; of
// others that are empty it may say no.
func (h *Header) LeavesContext() bool {
	return h == nil || h == onlyDecided || h.skipped && !h.shown && h.baggage.Len() == 0
}

// OrBackground returns ctx, or context.Background() if ctx is nil. Public functions call
// it, because whoever passes a nil context by mistake must not make the program panic.
func OrBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// Untraced returns ctx with a sentinel in place of its span, without its baggage, and
// without a caller from a boundary. If ctx is like that already, it returns ctx and
// does not allocate.
func Untraced(ctx context.Context) context.Context {
	ctx = caller.With(OrBackground(ctx), nil)
	if baggage.FromContext(ctx).Len() > 0 {
		ctx = baggage.ContextWithoutBaggage(ctx)
	}
	if !sentinel.IsCurrent(trace.SpanFromContext(ctx)) {
		ctx = sentinel.ContextWith(handling.Without(ctx))
	}
	return ctx
}

// root returns a context for the first span of a new trace, with h's caller, to which
// that span is linked. It has no sentinel, so that the sampler decides.
func (h *Header) root(parent context.Context) context.Context {
	if sentinel.Is(trace.SpanContextFromContext(parent)) {
		parent = trace.ContextWithSpanContext(parent, trace.SpanContext{})
	}
	return caller.With(parent, h.caller.For(parent))
}
