// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/propagate"
)

// A frame of a browser, read by a Config that links to the traces of strangers.
func ExampleConfig_Decode() {
	boundary := propagate.Boundary{
		Policy: propagate.Link,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{}, propagate.Baggage{Allow: []string{"tenant"}}),
	}
	frames := wire.Config[order]{Form: wire.JSON, Boundary: boundary}

	e, err := frames.Decode([]byte(`{
		"waybill:envelope": {
			"version": 1,
			"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			"tracestate": "waybill=w:1e+06;p:1e-06;n:1000000;d:1",
			"baggage": "tenant=acme,admin=yes",
			"hops": 1000000
		},
		"message": {"ID": 7}
	}`))
	fmt.Println(e.Message(), err)
	fmt.Println(e.Header().Sampled(), e.Header().Baggage())
	ctx, _ := e.Unwrap(context.Background())
	link, _ := propagate.CallerLink(ctx)
	fmt.Println(link.SpanContext.SpanID(), link.SpanContext.TraceState())
	// Output:
	// {7} <nil>
	// false tenant=acme
	// 00f067aa0ba902b7
}

// A writer that is not switched on yet, and a key that a user chose.
func ExampleConfig_Append() {
	settings := wire.Config[map[string]string]{Wrap: func() bool { return false }}
	for _, key := range []string{"colour", "waybill:envelope"} {
		data, err := settings.Append(nil, envelope.Bare(map[string]string{key: "blue"}))
		fmt.Println(string(data), errors.Is(err, wire.ErrAmbiguous))
	}
	// Output:
	// {"colour":"blue"} false
	//  true
}
