// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package telemetry gives each service its own TracerProvider, whose spans are
// kept for the page and the report, summed up, and exported if there is a collector.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// Telemetry is the telemetry of all services of the example.
type Telemetry struct {
	Recorder *record.Recorder
	Sums     *report.Sums

	export    bool
	providers []*sdktrace.TracerProvider
}

// New makes it. Spans are exported as well if export; the exporter is
// configured by the standard OTEL_ environment variables.
func New(recorder *record.Recorder, sums *report.Sums, export bool) *Telemetry {
	return &Telemetry{Recorder: recorder, Sums: sums, export: export}
}

// EntryPoint is the sampler of a service where traces begin: it samples ratio
// of the requests that bring no trace.
func EntryPoint(ratio float64) sdktrace.Sampler {
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))
}

// Inner is the sampler of a service that only continues traces.
func Inner() sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) }

// Provider makes the TracerProvider of one service. A nil sampler is the one
// that the environment names.
func (t *Telemetry) Provider(ctx context.Context, service string, sampler sdktrace.Sampler) (trace.TracerProvider, error) {
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
		resource.WithAttributes(semconv.ServiceName(service)))
	if err != nil {
		return nil, fmt.Errorf("describe service %s: %w", service, err)
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(t.Recorder),
		sdktrace.WithSpanProcessor(t.Sums),
	}
	if sampler != nil {
		options = append(options, sdktrace.WithSampler(sampler))
	}
	if t.export {
		exporter, err := otlptracegrpc.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("OTLP exporter of service %s: %w", service, err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(options...)
	t.providers = append(t.providers, provider)
	return provider, nil
}

// Flush exports what has been recorded so far.
func (t *Telemetry) Flush(ctx context.Context) error {
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.ForceFlush(ctx))
	}
	return errors.Join(errs...)
}

// Shutdown exports what is left and ends the exporters.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Endpoint returns the collector that the environment names, if it does.
func Endpoint() string {
	if endpoint := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); endpoint != "" {
		return endpoint
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
}
