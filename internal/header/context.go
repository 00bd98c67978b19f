// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/nonrecording"
	"github.com/waybill-go/waybill/internal/sentinel"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// Context returns parent with h's span context and baggage. Where h has none, those of
// parent stay. If parent may hold those of another trace, call [Untraced] first, which
// also adds the sentinel. Cancellation and deadline are those of parent.
func (h *Header) Context(parent context.Context) context.Context {
	if h.LeavesContext() {
		return parent
	}
	if sc := h.SpanContext(); sc.IsValid() && !sentinel.Is(sc) {
		if h.Sampled() {
			parent = h.chain(parent)
		} else {
			parent = tracestate.ContextWith(trace.ContextWithSpanContext(parent, sc), h.beside)
		}
	} else if h.caller != nil {
		parent = h.root(parent)
	}
	if h.baggage.Len() > 0 {
		parent = baggage.ContextWithBaggage(parent, h.baggage)
	}
	return parent
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

// chain returns parent with h's span context as the current span, and with h, so that
// the headers of the next messages can go on counting.
func (h *Header) chain(parent context.Context) context.Context {
	c := &chained{parent, h, nonrecording.NewSpan(&h.spanContext)}
	return trace.ContextWithSpan(c, &c.span)
}

// chained is a context that is made from a sampled header. It holds everything in one
// allocation.
type chained struct {
	context.Context //nolint:containedctx // It is a context itself.

	header *Header
	span   nonrecording.Span
}

type chainKey struct{}

// Value implements context.Context.
func (c *chained) Value(key any) any {
	switch key {
	case chainKey{}:
		return c.header
	case tracestate.Key{}:
		return c.header.beside
	default:
		return c.Context.Value(key)
	}
}
