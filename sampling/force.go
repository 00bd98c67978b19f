// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"context"

	"github.com/waybill-go/waybill/internal/forced"
)

// Force returns a context that asks the wrapper of package
// [github.com/waybill-go/waybill/sampling/sampler] to record and sample the
// spans that are started with it, whatever else would decide. Without the wrapper
// it does nothing.
//
// It is for spans that turn out to be worth it after the decision was made:
//
//	_, span := tracer.Start(sampling.Force(ctx), "slow query", trace.WithTimestamp(began))
//	span.End()
//
// The request holds for the span that is current in ctx, and ends where another
// takes its place. So it never reaches what is started below a forced span: there
// the sampler decides as usual, which for a parent-based one means that it goes
// on sampling.
//
// With [go.opentelemetry.io/otel/trace.WithNewRoot] the SDK looks away from ctx, and from the request as
// well. To force a root, take the span away instead; it keeps its baggage and
// other values:
//
//	ctx = sampling.Force(trace.ContextWithSpanContext(ctx, trace.SpanContext{}))
//	_, span := tracer.Start(ctx, "slow query", trace.WithLinks(link))
//
// Handlers of untraced messages should do so: the trace ID that they find is of no
// trace. A parent with a trace ID and no span ID works too, for a
// root whose trace ID is given.
//
// Use the context for the start and nothing else. The current span in it is a
// stand-in that passes everything on, but is not of the SDK's type: the SDK does
// not count forced spans among their parent's children.
func Force(ctx context.Context) context.Context { return forced.With(ctx) }
