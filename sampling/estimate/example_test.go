// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// A small broadcast was quick and traced in full, a large one was slow and left
// two spans.
func ExampleSpans() {
	const file = `{"resourceSpans":[{"scopeSpans":[{"spans":[
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b170","name":"broadcast sessions",
		 "startTimeUnixNano":"1000000000","endTimeUnixNano":"1000001000",
		 "attributes":[{"key":"waybill.fanout.size","value":{"intValue":"5000"}},
			{"key":"waybill.fanout.sampled","value":{"intValue":"2"}}]},
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b171","name":"session MessageCreate",
		 "parentSpanId":"eee19b7ec3c1b170","startTimeUnixNano":"1000000000","endTimeUnixNano":"1400000000",
		 "attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":2500}},
			{"key":"waybill.fanout.probability","value":{"doubleValue":0.0004}}]},
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b172","name":"session MessageCreate",
		 "parentSpanId":"eee19b7ec3c1b170","startTimeUnixNano":"1000000000","endTimeUnixNano":"1600000000",
		 "attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":2500}},
			{"key":"waybill.fanout.probability","value":{"doubleValue":0.0004}}]}]}]}]}`
	var spans estimate.Spans
	if err := spans.AddOTLP(strings.NewReader(file)); err != nil {
		fmt.Println(err)
	}
	sessions := spans.Named("session MessageCreate").Handled
	fmt.Println("deliveries:", sessions.Count())
	fmt.Println("seconds:", sessions.Mean())
	// Output:
	// deliveries: 5000 ± 0
	// seconds: 0.5 ± 0.1 (of 2 spans)
}

// Collectors each have a sample of their own.

// To the seconds of the handling come those that the message has waited.
func ExampleSpans_Select() {
	var spans estimate.Spans
	for _, span := range recorded() {
		spans.Add(span)
	}
	sessions := spans.Select(func(span estimate.Span) (float64, bool) {
		latency := span.EndTime().Sub(span.StartTime()).Seconds()
		for _, kv := range span.Attributes() {
			if kv.Key == keys.QueueDuration {
				latency += kv.Value.AsFloat64()
			}
		}
		return latency, span.Name() == "session MessageCreate"
	}).Handled
	count, mean := sessions.Count(), sessions.Mean()
	fmt.Printf("%v deliveries, by %.0f spans\n", count.Value, count.Spans)
	fmt.Printf("%.1f seconds, between %.1f and %.1f\n", mean.Value, mean.Low, mean.High)
	fmt.Println(sessions.Above(10).High < 80)
	// Output:
	// 1000 deliveries, by 60 spans
	// 2.0 seconds, between 2.0 and 2.0
	// true
}

// recorded returns the spans of a broadcast to 1,000 sessions.
func recorded() []sdktrace.ReadOnlySpan {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	ctx, root := provider.Tracer("example").Start(context.Background(), "root")
	_, cast := provider.Tracer("example").Start(ctx, "broadcast sessions",
		trace.WithAttributes(keys.FanoutSize.Int(1000), keys.FanoutSampled.Int(60)))
	now := time.Now()
	for range 60 {
		_, span := provider.Tracer("example").Start(trace.ContextWithSpan(ctx, cast), "session MessageCreate",
			trace.WithTimestamp(now), trace.WithAttributes(keys.FanoutWeight.Float64(1000.0/60), keys.FanoutProbability.Float64(60.0/1000),
				keys.FanoutSize.Int(1000), keys.FanoutDepth.Int(1)),
			trace.WithAttributes(keys.QueueDuration.Float64(1.5)))
		span.End(trace.WithTimestamp(now.Add(500 * time.Millisecond)))
	}
	cast.End()
	root.End()
	return exporter.GetSpans().Snapshots()
}
