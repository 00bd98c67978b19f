// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/nonrecording"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// chained is a context that is made from a sampled header. It holds everything in one
// allocation, which may also be that of the header.
type chained struct {
	context.Context //nolint:containedctx // It is a context itself.

	header   *Header
	span     nonrecording.Span
	handling handling.Room
	taken    atomic.Bool // Of the room in a header.
}

type chainKey struct{}

// chain returns parent with h's span context as the current span, and with h, so that
// the headers of the next messages can go on counting. It has room for the handling.
func (h *Header) chain(parent context.Context) (context.Context, *handling.Room) {
	c := h.room
	if c == nil || c.taken.Swap(true) {
		c = new(chained)
	}
	c.Context, c.header, c.span = parent, h, nonrecording.NewSpan(&h.spanContext)
	if spanKey == nil {
		return trace.ContextWithSpan(c, &c.span), &c.handling
	}
	return c, &c.handling
}

// Value implements context.Context.
func (c *chained) Value(key any) any {
	switch key {
	case nil: // No context has it, and spanKey may be nil.
		return nil
	case spanKey:
		return trace.Span(&c.span)
	case chainKey{}:
		return c.header
	case tracestate.Key{}:
		return c.header.beside
	}
	if value := c.handling.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

// String returns a name of the context, for those who print one.
func (c *chained) String() string { return fmt.Sprintf("%v.WithMessage", c.Context) }

// spanKey is the key by which package trace asks a context for its current span. The package
// offers no other way to put a span into a context than one more context around it. Nil if
// package trace does something else than to ask by one key.
var spanKey = findSpanKey()

func findSpanKey() any {
	a := asked{Context: context.Background()}
	trace.SpanFromContext(&a)
	if len(a.keys) != 1 || a.keys[0] == nil {
		return nil
	}
	key := a.keys[0]
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	span := nonrecording.NewSpan(&sc)
	ctx := context.WithValue(context.Background(), key, trace.Span(&span))
	if trace.SpanFromContext(ctx) != &span || !trace.SpanContextFromContext(ctx).Equal(sc) ||
		trace.ContextWithSpan(context.Background(), &span).Value(key) != trace.Span(&span) {
		return nil
	}
	return key
}

// asked is a context that notes for what it was asked.
type asked struct {
	context.Context //nolint:containedctx // It is a context itself.

	keys []any
}

// Value implements context.Context.
func (a *asked) Value(key any) any {
	a.keys = append(a.keys, key)
	return nil
}
