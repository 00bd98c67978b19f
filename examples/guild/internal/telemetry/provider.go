// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package telemetry gives each service its own TracerProvider, whose spans go to some
// processors, and to a collector if there is one.
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
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config is what [New] needs to know besides the environment. All fields are needed, but for
// Resource and Collector.
type Config struct {
	Processors []sdktrace.SpanProcessor // of the spans of all services
	Resource   []attribute.KeyValue     // what all services say of themselves, besides their names
	Collector  *Collector               // where spans go, whatever the environment says of that
	Terminal   io.Writer                // for OTEL_TRACES_EXPORTER=console
	Warn       func(text string)        // says what is wrong, which is ready for a terminal
}

// Telemetry is the telemetry of all services of the example.
type Telemetry struct {
	processors []sdktrace.SpanProcessor
	resource   []attribute.KeyValue
	collector  *Collector
	terminal   io.Writer
	settings   settings
	warnings   *warnings
	exports    exports
	partial    string                        // what is wrong with the resource
	flushes    []func(context.Context) error // of the providers
	ends       []func(context.Context) error
}

// New makes it, as the standard OTEL_ environment variables say. A collector that
// cannot be reached is not exported to, with a warning. It becomes the handler of
// the SDK's errors.
func New(ctx context.Context, c Config) *Telemetry {
	t := &Telemetry{
		processors: c.Processors, resource: c.Resource, collector: c.Collector,
		terminal: c.Terminal, warnings: newWarnings(c.Warn),
	}
	t.exports.onDrop = sync.OnceFunc(func() {
		t.warnings.warn("spans are dropped, since the collector takes them too slowly")
	})
	otel.SetErrorHandler(t.warnings)
	t.settings = readSettings(t.warnings.warn)
	if t.settings.disabled || t.collector != nil {
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
		return nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}
	for _, processor := range t.processors {
		options = append(options, sdktrace.WithSpanProcessor(processor))
	}
	if sampler != nil {
		options = append(options, sdktrace.WithSampler(sampler))
	}
	exporting, err := t.exporting(ctx)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", service, err)
	}
	for _, processor := range exporting {
		options = append(options, sdktrace.WithSpanProcessor(processor))
	}
	options = append(options, more...)
	var provider *sdktrace.TracerProvider
	problems := t.warnings.during(func() { provider = sdktrace.NewTracerProvider(options...) })
	t.flushes = append(t.flushes, provider.ForceFlush)
	t.ends = append(t.ends, provider.Shutdown)
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
		resource.WithAttributes(t.resource...),
		resource.WithAttributes(semconv.ServiceName(service)))
	if errors.Is(err, resource.ErrPartialResource) {
		t.partial = err.Error()
		t.warnings.warn("OTEL_RESOURCE_ATTRIBUTES is left out in part: " + t.partial)
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe service %s: %w", service, err)
	}
	return about, nil
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

// exporting returns processors that export to wherever spans go.
func (t *Telemetry) exporting(ctx context.Context) (all []sdktrace.SpanProcessor, err error) {
	if t.collector != nil && !t.settings.disabled {
		exporter, err := t.collector.exporter(ctx)
		if err != nil {
			return nil, err
		}
		return []sdktrace.SpanProcessor{t.exports.batcher(exporter, sdktrace.WithBatchTimeout(collectEvery))}, nil
	}
	for _, name := range t.settings.exporters {
		exporter, err := t.exporter(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s exporter: %w", name, err)
		}
		all = append(all, t.exports.batcher(exporter))
	}
	return all, nil
}

// Forward returns what exports the spans of other processes of the operating system, to
// wherever those of our own services go.
func (t *Telemetry) Forward(ctx context.Context) (func(sdktrace.ReadOnlySpan), error) {
	all, err := t.exporting(ctx)
	if err != nil {
		return nil, err
	}
	for _, processor := range all {
		t.flushes = append(t.flushes, processor.ForceFlush)
		t.ends = append(t.ends, processor.Shutdown)
	}
	return func(span sdktrace.ReadOnlySpan) {
		for _, processor := range all {
			processor.OnEnd(span)
		}
	}, nil
}

// exporter makes one of that name. It is configured by the environment.
func (t *Telemetry) exporter(ctx context.Context, name string) (sdktrace.SpanExporter, error) {
	switch {
	case name == console:
		return stdouttrace.New(stdouttrace.WithWriter(t.terminal))
	case t.settings.protocol == overHTTP:
		return otlptracehttp.New(ctx)
	default:
		return otlptracegrpc.New(ctx)
	}
}

// Flush exports what has ended so far.
func (t *Telemetry) Flush(ctx context.Context) error {
	var errs []error
	for _, flush := range t.flushes {
		errs = append(errs, flush(ctx))
	}
	return errors.Join(errs...)
}

// Shutdown exports what is left and ends the exporters.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, end := range t.ends {
		errs = append(errs, end(ctx))
	}
	return errors.Join(errs...)
}
