// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package handling remembers in the context of a handler in which span its message is
// handled. The current span of a context may be one that the handler has started itself. In
// debug mode it also finds mistakes that are easy to make with such contexts.
package handling

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// handling is a context in which a message is handled. It has no span if a message is
// handled without one inside the handling of another.
type handling struct {
	context.Context //nolint:containedctx // It is a context itself.

	span    trace.Span
	running *Running // Nil without debug mode.
}

type key struct{}

// Value implements context.Context.
func (h *handling) Value(k any) any {
	if k == (key{}) {
		return h
	}
	return h.Context.Value(k)
}

// With returns ctx for a handler whose message is handled in span.
func With(ctx context.Context, span trace.Span) context.Context {
	return &handling{Context: ctx, span: span}
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

func of(ctx context.Context) *handling {
	h, _ := ctx.Value(key{}).(*handling)
	return h
}
