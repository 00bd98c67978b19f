// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package handling remembers in the context of a handler in which span its message is
// handled. The current span of a context may be one that the handler has started itself. In
// debug mode it also finds mistakes that are easy to make with such contexts.
package handling

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// handling is a context in which a message is handled. It has no span if a message is
// handled without one inside the handling of another.
type handling struct {
	context.Context //nolint:containedctx // It is a context itself.

	what
}

// what is being done: what a context says of the handling that it is of.
type what struct {
	span    trace.Span
	running *Running // Nil without debug mode.
}

type key struct{}

// Value implements context.Context.
func (h *handling) Value(k any) any {
	if k == (key{}) {
		return &h.what
	}
	return h.Context.Value(k)
}

// With returns ctx for a handler whose message is handled in span.
func With(ctx context.Context, span trace.Span) context.Context {
	return &handling{ctx, what{span: span}}
}

// Room is a place for a handling in a context that is made for its message alone. The zero
// value is an empty one.
type Room struct {
	what

	used atomic.Bool
}

// Value returns what the context with the room returns for k. It is nil if the room has nothing
// to say, and then the context asks its parent.
func (r *Room) Value(k any) any {
	if k == (key{}) && r.used.Load() {
		return &r.what
	}
	return nil
}

// With returns ctx for a handler whose message is handled in span. ctx is derived from the
// context with the room, which from now on knows of the handling too. So nothing is allocated,
// unless r is nil, or ctx is not derived from there, as a tracer that is plugged in may have it.
// With must be called once.
func (r *Room) With(ctx context.Context, span trace.Span) context.Context {
	if r == nil {
		return With(ctx, span)
	}
	r.span = span
	r.used.Store(true) // A span processor may have the context already, on another goroutine.
	if of(ctx) != &r.what {
		return With(ctx, span)
	}
	return ctx
}

// Without returns ctx for a handler whose message is handled without a span. If ctx is of no
// handling, it returns ctx.
func Without(ctx context.Context) context.Context {
	if h := of(ctx); h == nil || h.span == nil && h.running == nil {
		return ctx
	}
	return &handling{Context: ctx}
}

// SpanOf returns the span in which the message is handled whose handler has ctx. It is nil
// if there is none.
func SpanOf(ctx context.Context) trace.Span {
	if h := of(ctx); h != nil {
		return h.span
	}
	return nil
}

func of(ctx context.Context) *what {
	h, _ := ctx.Value(key{}).(*what)
	return h
}
