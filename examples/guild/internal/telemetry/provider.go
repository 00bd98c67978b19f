// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package telemetry gives each service its own TracerProvider, whose spans are
// kept for the page and the report, summed up, and exported if there is a collector.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// Config is what [New] needs to know besides the environment. All fields are needed.
type Config struct {
	Recorder *record.Recorder
	Sums     *report.Sums
	Console  io.Writer         // for OTEL_TRACES_EXPORTER=console
	Warn     func(text string) // says what is wrong, which is ready for a terminal
}

// Telemetry is the telemetry of all services of the example.
type Telemetry struct {
	Recorder *record.Recorder
	Sums     *report.Sums

	console   io.Writer
	settings  settings
	warnings  *warnings
	exports   exports
	partial   string // what is wrong with the resource
	providers []*sdktrace.TracerProvider
}

// New makes it, as the standard OTEL_ environment variables say. A collector that
// cannot be reached is not exported to, with a warning. It becomes the handler of
// the SDK's errors.
func New(ctx context.Context, c Config) *Telemetry {
	t := &Telemetry{Recorder: c.Recorder, Sums: c.Sums, console: c.Console, warnings: newWarnings(c.Warn)}
	t.exports.onDrop = sync.OnceFunc(func() {
		t.warnings.warn("spans are dropped, since the collector takes them too slowly")
	})
	otel.SetErrorHandler(t.warnings)
	t.settings = readSettings(t.warnings.warn)
	if t.settings.disabled {
		t.settings.exporters = nil
	}
	if slices.Contains(t.settings.exporters, otlp) {
		if err := reach(ctx, t.settings.endpoint); err != nil {
			t.warnings.warn("spans are not exported: " + err.Error())
			t.settings.exporters = slices.DeleteFunc(t.settings.exporters, func(name string) bool { return name == otlp })
		}
	}
	return t
}

// Exporting says where spans are exported to, in a line each.
func (t *Telemetry) Exporting() (lines []string) {
	if t.settings.disabled {
		return []string{"nothing is traced, by OTEL_SDK_DISABLED"}
	}
	for _, name := range t.settings.exporters {
		switch name {
		case otlp:
			lines = append(lines, Printable(fmt.Sprintf("exporting to %s (%s)", t.settings.endpoint, t.settings.protocol)))
		case console:
			lines = append(lines, "exporting to this terminal")
		}
	}
	return lines
}

// Exports returns what has become of spans so far.
func (t *Telemetry) Exports() Exports { return t.exports.read() }

// EntryPoint is the sampler of a service where traces begin: it samples ratio
// of the requests that bring no trace.
//
// Of the traces that it continues, from browsers, it samples the same share of those
// whose flag asks for it.
func EntryPoint(ratio float64) sdktrace.Sampler {
	ours := sdktrace.TraceIDRatioBased(ratio)
	return sdktrace.ParentBased(ours, sdktrace.WithRemoteParentSampled(ours))
}

// Inner is the sampler of a service that only continues traces.
func Inner() sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) }

// Provider makes the TracerProvider of one service. A nil sampler is the one
// that the environment names.
func (t *Telemetry) Provider(
	ctx context.Context, service string, sampler sdktrace.Sampler, more ...sdktrace.TracerProviderOption,
) (trace.TracerProvider, error) {
	if t.settings.disabled {
		return noop.NewTracerProvider(), nil
	}
	about, err := t.describe(ctx, service)
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
	for _, name := range t.settings.exporters {
		exporter, err := t.exporter(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s exporter of service %s: %w", name, service, err)
		}
		options = append(options, sdktrace.WithSpanProcessor(t.exports.batcher(exporter)))
	}
	options = append(options, more...)
	var provider *sdktrace.TracerProvider
	problems := t.warnings.during(func() { provider = sdktrace.NewTracerProvider(options...) })
	t.providers = append(t.providers, provider)
	if sampler == nil {
		t.complain(problems)
	}
	return provider, nil
}

// describe returns what a service says of itself. What is wrong in the environment's
// part of it is left out, with a warning.
func (t *Telemetry) describe(ctx context.Context, service string) (*resource.Resource, error) {
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
		resource.WithAttributes(semconv.ServiceName(service)))
	if errors.Is(err, resource.ErrPartialResource) {
		t.partial = err.Error()
		t.warnings.warn("OTEL_RESOURCE_ATTRIBUTES is left out in part: " + t.partial)
		err = nil
	}
	return about, err
}

// complain says what is wrong with the sampler that the environment names. The SDK
// then samples everything. It also repeats what is wrong with the resource.
func (t *Telemetry) complain(problems []string) {
	for _, problem := range problems {
		if strings.Contains(t.partial, problem) || t.warnings.knows("telemetry: "+problem) {
			continue
		}
		t.warnings.warn("OTEL_TRACES_SAMPLER: " + problem + "; every post is sampled")
	}
}

// exporter makes one of that name. It is configured by the environment.
func (t *Telemetry) exporter(ctx context.Context, name string) (sdktrace.SpanExporter, error) {
	switch {
	case name == console:
		return stdouttrace.New(stdouttrace.WithWriter(t.console))
	case t.settings.protocol == overHTTP:
		return otlptracehttp.New(ctx)
	default:
		return otlptracegrpc.New(ctx)
	}
}

// Shutdown exports what is left and ends the exporters.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
