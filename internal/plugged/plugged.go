// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugged has tracer providers that panic, for tests of packages that must
// survive it. There is one provider for each place where users plug something into the
// SDK.
package plugged

import (
	"context"
	"iter"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Providers yields a new provider for each place that can panic, and its name.
func Providers() iter.Seq2[string, trace.TracerProvider] {
	always := sdktrace.WithSampler(sdktrace.AlwaysSample())
	return func(yield func(string, trace.TracerProvider) bool) {
		for _, p := range []struct {
			name    string
			options []sdktrace.TracerProviderOption
		}{
			{"sampler", []sdktrace.TracerProviderOption{sdktrace.WithSampler(sampler{})}},
			{"start", []sdktrace.TracerProviderOption{always, sdktrace.WithSpanProcessor(&processor{start: true})}},
			{"end", []sdktrace.TracerProviderOption{always, sdktrace.WithSpanProcessor(&processor{end: true})}},
			{"exporter", []sdktrace.TracerProviderOption{always, sdktrace.WithSyncer(exporter{})}},
		} {
			if !yield(p.name, sdktrace.NewTracerProvider(p.options...)) {
				return
			}
		}
	}
}

type sampler struct{}

func (sampler) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	panic("a sampler panics")
}
func (sampler) Description() string { return "panics" }

type processor struct{ start, end bool }

func (p *processor) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	if p.start {
		panic("a processor panics at the start of a span")
	}
}

func (p *processor) OnEnd(sdktrace.ReadOnlySpan) {
	if p.end {
		panic("a processor panics at the end of a span")
	}
}
func (*processor) Shutdown(context.Context) error   { return nil }
func (*processor) ForceFlush(context.Context) error { return nil }

type exporter struct{}

func (exporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	panic("an exporter panics")
}
func (exporter) Shutdown(context.Context) error { return nil }
