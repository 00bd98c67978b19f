// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// exampleContext is what a server has after it read a request's headers.
func exampleContext() context.Context {
	carrier := propagate.MapCarrier(map[string]string{"traceparent": exampleParent})
	return propagate.SampledFirst{}.Extract(context.Background(), carrier)
}

func ExampleHeaderCarrier() {
	header := http.Header{"TraceParent": {"of somebody else"}}
	propagate.SampledFirst{}.Inject(exampleContext(), propagate.HeaderCarrier(header))
	fmt.Println(header)
	// Output: map[Traceparent:[00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00]]
}

func ExampleMetadataCarrier() {
	type Header map[string][]string // As NATS has it, and gRPC its MD.
	message := Header{}
	propagate.SampledFirst{}.Inject(exampleContext(), propagate.MetadataCarrier(message))
	fmt.Println(message)
	// Output: map[traceparent:[00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00]]
}

func ExampleMapCarrier() {
	type Metadata map[string]string // As Watermill has it.
	message := Metadata{}
	propagate.SampledFirst{}.Inject(exampleContext(), propagate.MapCarrier(message))
	fmt.Println(message)
	// Output: map[traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00]
}

func ExampleTableCarrier() {
	type Table map[string]any // As AMQP has it.
	message := Table{"x-retries": 2}
	propagate.SampledFirst{}.Inject(exampleContext(), propagate.TableCarrier(message))
	fmt.Println(message["x-retries"], message["traceparent"])
	// Output: 2 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00
}

// RecordHeader is what a client of Kafka has for a header.
type RecordHeader struct {
	Key   string
	Value []byte
}

func ExamplePairsCarrier() {
	// Once in a program, for each type of header:
	headers := propagate.PairsCarrier(
		func(h RecordHeader) (string, []byte) { return h.Key, h.Value },
		func(key string, value []byte) RecordHeader { return RecordHeader{key, value} },
	)
	propagator := propagate.SampledFirst{}

	var record struct{ Headers []RecordHeader }
	propagator.Inject(exampleContext(), headers(&record.Headers))
	fmt.Printf("%s %s\n", record.Headers[0].Key, record.Headers[0].Value)

	ctx := propagator.Extract(context.Background(), headers(&record.Headers))
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output:
	// traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00
	// 4bf92f3577b34da6a3ce929d0e0e4736
}
