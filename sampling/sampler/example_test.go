// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func ExampleWrap() {
	exporter := tracetest.NewInMemoryExporter() // A program has another.
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0)))),
		sdktrace.WithSyncer(exporter),
	)
	tracer := provider.Tracer("example")

	// As in a handler of an untraced message.
	ctx := envelope.Untraced(context.Background())
	_, span := tracer.Start(ctx, "as usual")
	span.End()

	// It took far too long: a root of its own.
	ctx = sampling.Force(trace.ContextWithSpanContext(ctx, trace.SpanContext{}))
	_, span = tracer.Start(ctx, "too slow")
	span.End()

	// As in a handler that a fan-out to 10,000 sampled.
	state, _ := trace.ParseTraceState("waybill=w:1000;p:0.001;n:10000;d:1")
	ctx = trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
		TraceState: state,
	}))
	_, span = tracer.Start(ctx, "deliver")
	span.End()

	for _, s := range exporter.GetSpans() {
		fmt.Println(s.Name)
		for _, a := range s.Attributes {
			fmt.Println(" ", a.Key, a.Value.String())
		}
	}
	// Output:
	// too slow
	// deliver
	//   waybill.fanout.weight 1000
	//   waybill.fanout.rounded_weight 1000
	//   waybill.fanout.probability 0.001
	//   waybill.fanout.size 10000
	//   waybill.fanout.depth 1
}
