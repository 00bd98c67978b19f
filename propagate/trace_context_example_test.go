// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

func ExampleTraceContext() {
	// With baggage, as otel.SetTextMapPropagator is usually given it.
	propagator := propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagation.Baggage{})

	incoming := http.Header{}
	incoming.Set("traceparent", exampleParent)
	incoming.Add("tracestate", "rojo=00f067aa0ba902b7")
	incoming.Add("tracestate", "2nd=x, congo=t61rcWkgMzE")
	ctx := propagator.Extract(context.Background(), propagation.HeaderCarrier(incoming))

	// OpenTelemetry's type has no room for a key that begins with a digit.
	fmt.Println(trace.SpanContextFromContext(ctx).TraceState())

	outgoing := http.Header{}
	propagator.Inject(ctx, propagation.HeaderCarrier(outgoing))
	fmt.Println(outgoing.Get("tracestate"))
	// Output:
	// rojo=00f067aa0ba902b7,congo=t61rcWkgMzE
	// rojo=00f067aa0ba902b7,2nd=x,congo=t61rcWkgMzE
}

func ExampleTraceContext_counters() {
	counters := &propagate.Counters{}
	propagator := propagate.TraceContext{Counters: counters}

	twice := http.Header{"Traceparent": {exampleParent, exampleParent}}
	ctx := propagator.Extract(context.Background(), propagation.HeaderCarrier(twice))
	fmt.Println(trace.SpanContextFromContext(ctx).IsValid(), counters.Counts().Refused)
	// Output: false 1
}
