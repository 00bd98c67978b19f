// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wireform

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/caller"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/tracestate"
)

// admit sets the parts of to that a boundary lets in. The boundary reads trace and baggage
// from headers, as if they had come by HTTP. All else in a message is about a sampled
// trace, and counts only if the boundary lets that in.
func (c *Contents) admit(to *header.Content, boundary propagation.TextMapPropagator) {
	headers := propagation.MapCarrier{}
	if !c.BadTrace && c.Traced() {
		headers["traceparent"] = string(c.AppendTraceParent(nil))
		if !c.BadState && c.TraceState != "" {
			headers["tracestate"] = c.TraceState
		}
	}
	if !c.BadBaggage && c.Baggage != "" {
		headers["baggage"] = c.Baggage
	}
	ctx := boundary.Extract(context.Background(), headers)
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		to.SpanContext = sc.WithRemote(true)
		to.Beside = tracestate.FromContext(ctx).Of(sc.TraceID())
	}
	to.Baggage = baggage.FromContext(ctx)
	to.Caller = caller.Of(ctx)
	c.doubted = caller.IsOnlyIDs(ctx)
}
