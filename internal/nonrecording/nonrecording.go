// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package nonrecording puts span contexts into contexts, as
// [trace.ContextWithSpanContext] does, in one allocation where that takes two:
// one for a span and one for the context around it.
//
// For that a context must answer for itself when it is asked for the current
// span. The key of that question is private to OpenTelemetry, so it is learnt
// once, from a context that takes down what it is asked. Should a future version
// ask in another way, OpenTelemetry's own function is used again.
//
// The span is not of OpenTelemetry's own type, which is private too. Every provider
// goes on from it but that of the deprecated [trace.NewNoopTracerProvider], which
// goes on from that type alone; package noop's does.
package nonrecording

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Key is the key of the current span in a context. It is nil, and so never asked
// for, if it could not be learnt: then contexts are made as OpenTelemetry does.
var Key = learn(trace.SpanFromContext, trace.ContextWithSpan)

// learn returns the key under which put puts spans into contexts and get finds
// them, or nil if that is not all that they do.
func learn(
	get func(context.Context) trace.Span, put func(context.Context, trace.Span) context.Context,
) any {
	span := NewSpan(new(trace.SpanContext))
	asked := &witness{Context: context.Background(), answer: &span}
	if get(asked) != trace.Span(&span) || len(asked.keys) != 1 {
		return nil
	}
	key := asked.keys[0]
	if put(context.Background(), &span).Value(key) != any(&span) {
		return nil
	}
	return key
}

// witness is a context that takes down what it is asked, and gives one answer.
type witness struct {
	context.Context //nolint:containedctx // It is a context itself.

	answer *Span
	keys   []any
}

// Value implements context.Context.
func (w *witness) Value(key any) any {
	w.keys = append(w.keys, key)
	return w.answer
}

// holder is a context with the span that is current in it.
type holder struct {
	context.Context //nolint:containedctx // It is a context itself.

	span Span
	sc   trace.SpanContext
}

// ContextWith returns parent with sc as the current span, like
// [trace.ContextWithSpanContext].
func ContextWith(parent context.Context, sc trace.SpanContext) context.Context {
	if Key == nil {
		return trace.ContextWithSpanContext(parent, sc)
	}
	h := &holder{Context: parent, sc: sc}
	h.span = NewSpan(&h.sc)
	return h
}

// Value implements context.Context.
func (h *holder) Value(key any) any {
	if key == Key {
		return &h.span
	}
	return h.Context.Value(key)
}
