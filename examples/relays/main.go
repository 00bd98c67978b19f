// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command relays broadcasts to thousands of sessions through relays. Each relay
// passes the message on to sessions of its own, and one budget of spans covers the
// whole tree. The program prints one trace, what was planned and recorded, and an
// estimate beside the true figure.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling/estimate"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "relays:", err)
		os.Exit(1)
	}
}

const (
	relays     = 16
	broadcasts = 10
)

func run(ctx context.Context, out io.Writer) error {
	recorder := record.New(traces.Config{})
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("hub"))),
		sdktrace.WithSpanProcessor(recorder),
	)
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider))
	hub, err := newHub(sys)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d relays pass each message on to %d sessions.\n\n", relays, hub.size)

	tracer := provider.Tracer("github.com/waybill-go/waybill/examples/relays")
	for range broadcasts {
		ctx, span := tracer.Start(ctx, "publish")
		hub.publish(ctx, News{"hello"})
		span.End()
	}
	if err := sys.Shutdown(ctx); err != nil {
		return err
	}
	if err := show(out, recorder, hub); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

// show prints the first trace, a line for each of them, and the estimate.
func show(out io.Writer, recorder *record.Recorder, hub *hub) error {
	var spans estimate.Spans
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "broadcast\tspans planned\tspans recorded\tsum of weights\tsessions\t")
	for i, summary := range recorder.All() {
		trace := recorder.Trace(summary.ID)
		if i == 0 {
			if err := report.WriteTrace(out, trace, false); err != nil {
				return err
			}
			fmt.Fprintln(out)
		}
		planned, count, weights := int64(0), 0, 0.0
		for _, span := range trace.Spans {
			spans.Add(span)
			attributes := attribute.NewSet(span.Attributes()...)
			switch span.Name() {
			case "broadcast relays":
				budget, _ := attributes.Value(attribute.Key("waybill.fanout.budget"))
				planned = budget.AsInt64()
			case "session News":
				weight, _ := attributes.Value(attribute.Key("waybill.fanout.weight"))
				count++
				weights += weight.AsFloat64()
			}
		}
		fmt.Fprintf(table, "%d\t%d\t%d\t%.6g\t%d\t\n", i+1, planned, count, weights, hub.size)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	written := spans.Select(func(span estimate.Span) (float64, bool) {
		attributes := attribute.NewSet(span.Attributes()...)
		bytes, ok := attributes.Value(bytesKey)
		return float64(bytes.AsInt64()), ok
	})
	sum := written.Handled.Total()
	fmt.Fprintf(out, "\nwritten to clients, estimated from %d spans:  %.2f ± %.2f MB\n",
		written.Handled.Tally().Counted, sum.Value/1e6, sum.StdErr/1e6)
	fmt.Fprintf(out, "written to clients, counted in all sessions:     %.2f MB\n", float64(hub.written.Load())/1e6)
	return nil
}
