// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// admit gives h what a boundary lets in of a message: it reads trace and baggage
// from headers, as they would have come by HTTP. All else that a message says is
// about a sampled trace, and nobody asks for it where that is not let in.
func (c *cargo) admit(h *Header, boundary propagation.TextMapPropagator) {
	headers := propagation.MapCarrier{}
	if !c.badTrace && c.traced() {
		headers["traceparent"] = string(c.appendTraceParent(nil))
		if !c.badState && c.traceState != "" {
			headers["tracestate"] = c.traceState
		}
	}
	if !c.badBaggage && c.baggage != "" {
		headers["baggage"] = c.baggage
	}
	ctx := boundary.Extract(context.Background(), headers)
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		h.spanContext = sc.WithRemote(true)
		h.beside = tracestate.FromContext(ctx).Of(sc.TraceID())
	}
	h.baggage = baggage.FromContext(ctx)
	h.caller = caller.Of(ctx)
}

// root returns parent for the first span of a new trace with a link to h's caller:
// it has no sentinel, so that the sampler decides.
func (h *Header) root(parent context.Context) context.Context {
	if IsSentinel(trace.SpanContextFromContext(parent)) {
		parent = trace.ContextWithSpanContext(parent, trace.SpanContext{})
	}
	return caller.With(parent, h.caller.For(parent))
}

// linksCaller reports whether the handling of the message is to begin a new trace
// with a link to the caller.
func (h *Header) linksCaller() bool { return h != nil && h.caller != nil }
