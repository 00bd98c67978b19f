// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// A public listener and an internal one, each with instrumentation of its own.
func ExampleBoundary() {
	recorded := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded))
	listen := func(boundary propagate.Boundary) http.Handler {
		tracer := boundary.TracerProvider(provider).Tracer("example")
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, span := tracer.Start(boundary.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), "serve")
			span.End()
		})
	}

	headers := propagation.NewCompositeTextMapPropagator(
		propagate.TraceContext{}, propagate.Baggage{Allow: []string{"tenant"}})
	public := listen(propagate.Boundary{Policy: propagate.Link, Propagator: headers})
	internal := listen(propagate.Boundary{Policy: propagate.Continue, Propagator: headers})

	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	request.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	for _, listener := range []http.Handler{public, internal} {
		listener.ServeHTTP(httptest.NewRecorder(), request)
	}
	for _, span := range recorded.Ended() {
		fmt.Println("parent:", span.Parent().SpanID())
		for _, link := range span.Links() {
			fmt.Println("link:", link.SpanContext.SpanID(), link.Attributes[0].Value.AsString())
		}
	}
	// Output:
	// parent: 0000000000000000
	// link: 00f067aa0ba902b7 boundary
	// parent: 00f067aa0ba902b7
}

func ExampleBoundary_counters() {
	var public propagate.Counters
	boundary := propagate.Boundary{Policy: propagate.Ignore, Propagator: propagate.TraceContext{}, Counters: &public}
	carrier := propagation.MapCarrier{"traceparent": exampleParent}

	ctx := boundary.Extract(context.Background(), carrier)
	fmt.Println(trace.SpanContextFromContext(ctx).IsValid(), public.Counts().Ignored)
	// Output: false 1
}

func ExampleCallerLink() {
	boundary := propagate.Boundary{Policy: propagate.Link, Propagator: propagate.TraceContext{}}
	ctx := boundary.Extract(context.Background(), propagation.MapCarrier{"traceparent": exampleParent})

	var opts []trace.SpanStartOption
	if link, ok := propagate.CallerLink(ctx); ok {
		opts = append(opts, trace.WithNewRoot(), trace.WithLinks(link))
		fmt.Println(link.SpanContext.TraceID())
	}
	_, span := sdktrace.NewTracerProvider().Tracer("example").Start(ctx, "serve", opts...)
	span.End()
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736
}
