// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// README: main
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	// Where spans and metrics go. For a collector: otlptracegrpc.New(ctx), otlpmetricgrpc.New(ctx).
	spans, err := stdouttrace.New()
	if err != nil {
		return err
	}
	metrics, err := stdoutmetric.New()
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.AlwaysSample()))), // or TraceIDRatioBased
		sdktrace.WithBatcher(spans),
	)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	defer func() { err = errors.Join(err, tracers.Shutdown(ctx), meters.Shutdown(ctx)) }() // the last of all
	otel.SetTracerProvider(tracers)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{}))

	sys := mailbox.NewSystem(mailbox.WithMeterProvider(meters))
	defer func() { err = errors.Join(err, sys.Shutdown(ctx)) }() // handles what was accepted
	greeter, err := mailbox.Spawn(sys, "greeter", func(_ context.Context, name string) error {
		fmt.Println("hello,", name)
		return nil
	})
	if err != nil {
		return err
	}

	ctx, span := otel.Tracer("start").Start(ctx, "request") // Usually otelhttp or otelgrpc does this.
	defer span.End()
	return greeter.Send(ctx, "world") // The handler's span is below the request's.
}

// README: end
