// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command channels sends three orders through a pipeline of channels and prints
// the trace of each. See the README beside it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	pipeline "github.com/waybill-go/waybill/examples/channels/after"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "channels:", err)
		os.Exit(1)
	}
}

const (
	orders   = 3
	workers  = 2
	shipping = time.Millisecond // how long the shipping of an order takes
)

func run(ctx context.Context, out io.Writer) error {
	recorder := record.New(traces.Config{})
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("shop"))),
		sdktrace.WithSpanProcessor(recorder),
	)
	otel.SetTracerProvider(provider) // envelope.Receive makes its spans there.

	p := pipeline.Start(ctx, workers, func(context.Context, pipeline.Order) { time.Sleep(shipping) })
	tracer := provider.Tracer("github.com/waybill-go/waybill/examples/channels")
	for id := range orders {
		ctx, span := tracer.Start(ctx, "take order")
		err := p.Submit(ctx, pipeline.Order{ID: id + 1})
		span.End()
		if err != nil {
			return err
		}
	}
	p.Close()

	all := recorder.All()
	for i, summary := range all {
		if err := report.WriteTrace(out, recorder.Trace(summary.ID), i < len(all)-1); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	return provider.Shutdown(ctx)
}
