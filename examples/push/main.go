// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command push is a server that pushes prices to many subscribers over gRPC streams, with
// its subscribers in the same process. It prints the trace of the last price: each traced
// subscriber's span says how long the price waited in the queue in front of its stream, and
// how many subscribers it stands for.
//
//	go run ./examples/push -subscribers 10000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// maxSubscribers is how many subscribers the server takes.
const maxSubscribers = 100_000

// renewal is how long the span of a stream may last.
const renewal = time.Hour

func main() {
	var c config
	flag.IntVar(&c.subscribers, "subscribers", 1_000, fmt.Sprintf("how many subscribers there are, at most %d", maxSubscribers))
	flag.IntVar(&c.prices, "prices", 3, "how many prices are published")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, c); err != nil {
		fmt.Fprintln(os.Stderr, "push:", err)
		os.Exit(1)
	}
}

type config struct{ subscribers, prices int }

var errFlags = fmt.Errorf("-subscribers must be from 1 to %d, and -prices at least 1", maxSubscribers)

func run(ctx context.Context, out io.Writer, c config) error {
	if c.subscribers < 1 || c.subscribers > maxSubscribers || c.prices < 1 {
		return errFlags
	}
	recorder := record.New(traces.Config{})
	never := sdktrace.NeverSample() // A stream begins no trace. A price continues its publisher's.
	feed := newTelemetry("feed", recorder, never)
	clients := telemetry{
		subscriber: newTelemetry("subscriber", recorder, never),
		publisher:  newTelemetry("publisher", recorder, sdktrace.AlwaysSample()),
	}
	s, err := serve(ctx, feed)
	if err != nil {
		return err
	}
	got, err := s.drive(ctx, clients, c)
	if err := errors.Join(err, s.close()); err != nil {
		return err
	}
	if err := report.WriteLast(out, recorder); err != nil {
		return err
	}
	stats := s.prices.Stats()
	fmt.Fprintf(out, "push: %d subscribers got %d prices, %d were refused\n", c.subscribers, got, stats.Refused)
	return errors.Join(feed.Shutdown(ctx), clients.subscriber.Shutdown(ctx), clients.publisher.Shutdown(ctx))
}

// telemetry has the providers of the two kinds of clients.
type telemetry struct{ subscriber, publisher *sdktrace.TracerProvider }

// newTelemetry returns the provider of a service, with a sampler for the traces that begin there.
func newTelemetry(service string, recorder *record.Recorder, roots sdktrace.Sampler) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(roots))),
		sdktrace.WithSpanProcessor(recorder),
	)
}

// instrumented returns the options of otelgrpc. If streams were sampled, the span of one
// would not last longer than an hour.
func instrumented(provider *sdktrace.TracerProvider) []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(grpcstream.RenewSpans(provider, renewal)),
		otelgrpc.WithPropagators(propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{})),
	}
}
