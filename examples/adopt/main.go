// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command adopt runs pieces of a service that were traced with few changed lines, and prints
// a trace of each. See the README beside it.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "adopt:", err)
		os.Exit(1)
	}
}

// pieces are in the order of the README.
var pieces = []struct {
	name string
	play func(*scene, context.Context) error
}{
	{"A worker pool", (*scene).pool},
	{"An errgroup", (*scene).group},
	{"A batcher", (*scene).batcher},
	{"A NATS consumer", (*scene).nats},
	{"A Kafka consumer", (*scene).kafka},
	{"A ticker", (*scene).ticker},
}

func run(ctx context.Context, out io.Writer) error {
	for i, piece := range pieces {
		recorder := record.New(traces.Config{})
		provider := sdktrace.NewTracerProvider(
			sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("shop"))),
			sdktrace.WithSpanProcessor(recorder),
		)
		otel.SetTracerProvider(provider) // The shop makes its spans there.
		if err := piece.play(&scene{shop: after}, ctx); err != nil {
			return fmt.Errorf("%s: %w", piece.name, err)
		}
		fmt.Fprintln(out, piece.name)
		if err := report.WriteTrace(out, longest(recorder), i < len(pieces)-1); err != nil {
			return err
		}
		fmt.Fprintln(out)
		if err := provider.Shutdown(ctx); err != nil {
			return err
		}
	}
	return nil
}

// longest returns the trace with the most spans.
func longest(recorder *record.Recorder) traces.Trace {
	most := slices.MaxFunc(recorder.All(), func(a, b traces.Summary) int { return cmp.Compare(a.Spans, b.Spans) })
	return recorder.Trace(most.ID)
}
