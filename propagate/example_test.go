// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const exampleParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

func Example() {
	before := otel.GetTextMapPropagator()
	defer otel.SetTextMapPropagator(before) // A program leaves it set.

	var counters propagate.Counters
	otel.SetTextMapPropagator(propagate.SampledFirst{Counters: &counters})

	// What instrumentation of a server does:
	incoming := http.Header{}
	incoming.Set("traceparent", exampleParent)
	ctx := otel.GetTextMapPropagator().Extract(context.Background(), propagation.HeaderCarrier(incoming))

	// What instrumentation of a client does:
	outgoing := http.Header{}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(outgoing))

	fmt.Println(outgoing.Get("traceparent"))
	fmt.Println(counters.Counts().Unsampled)
	// Output:
	// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00
	// 2
}

func ExampleSampledFirst() {
	propagator := propagate.SampledFirst{}
	carrier := propagation.MapCarrier{"traceparent": exampleParent, "tracestate": "a=1", "baggage": "user=alice"}

	sc := trace.SpanContextFromContext(propagator.Extract(context.Background(), carrier))
	fmt.Println(sc.TraceID(), sc.IsSampled(), sc.TraceState().Len())
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736 false 0
}

func ExampleSampledFirst_dropUnsampled() {
	propagator := propagate.SampledFirst{DropUnsampled: true, Counters: new(propagate.Counters)}
	carrier := propagation.MapCarrier{"traceparent": exampleParent}

	ctx := propagator.Extract(context.Background(), carrier)
	fmt.Println(trace.SpanContextFromContext(ctx).IsValid(), propagator.Counters.Counts().Unsampled)
	// Output: false 1
}

func ExamplePeek() {
	for _, parent := range []string{
		exampleParent,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
	} {
		sampled, ok := propagate.Peek(parent)
		fmt.Println("sampled:", sampled, "ok:", ok)
	}
	// Output:
	// sampled: false ok: true
	// sampled: true ok: true
	// sampled: false ok: false
}

func ExamplePeekHeader() {
	header := http.Header{}
	header.Set("traceparent", exampleParent)
	if sampled, _ := propagate.PeekHeader(header); !sampled {
		fmt.Println("no need to look at the rest")
	}
	// Output: no need to look at the rest
}

func ExampleParseTraceparent() {
	sc, err := propagate.ParseTraceparent(exampleParent)
	fmt.Println(sc.SpanID(), sc.IsSampled(), err)

	_, err = propagate.ParseTraceparent(exampleParent + "-")
	fmt.Println(errors.Is(err, propagate.ErrMalformed), err)
	// Output:
	// 00f067aa0ba902b7 false <nil>
	// true propagate: malformed traceparent: version 00 has 55 bytes, not 56
}

func ExampleCounters_RegisterMetrics() {
	reader := sdkmetric.NewManualReader() // A program has one that exports.
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("example")
	registration, err := propagate.DefaultCounters().RegisterMetrics(meter)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister() //nolint:errcheck // The program ends.

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics[:3] {
		fmt.Println(m.Name, m.Unit)
	}
	// Output:
	// waybill.propagate.malformed {extraction}
	// waybill.propagate.tracestate.refused {extraction}
	// waybill.propagate.tracestate.cut {member}
}
