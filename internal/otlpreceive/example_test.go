// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"context"
	"fmt"
	"net"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/otlpreceive"
	"github.com/waybill-go/waybill/internal/traces"
)

// A program keeps what others export to it over gRPC, on a listener of its own.
func ExampleNew() {
	ctx := context.Background()
	store := traces.New(traces.Config{Bytes: 1 << 20})
	receiver := otlpreceive.New(func(spans []sdktrace.ReadOnlySpan) {
		for _, span := range spans {
			store.Add(span)
		}
	}, func(line string) { fmt.Println(line) })

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := receiver.GRPC()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	// Another process does this, with OTEL_EXPORTER_OTLP_ENDPOINT or as here.
	exporter, err := otlptracegrpc.New(ctx,
		otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(listener.Addr().String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	_, span := provider.Tracer("session node").Start(ctx, "deliver")
	span.End()
	fmt.Println(provider.Shutdown(ctx))

	server.GracefulStop()
	fmt.Println(<-served)
	found, _ := store.Trace(span.SpanContext().TraceID())
	fmt.Println(found.Spans[0].Name(), receiver.Counts().Spans)
	// Output:
	// <nil>
	// <nil>
	// deliver 1
}
