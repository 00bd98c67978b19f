// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package scope names the instrumentation scopes of our packages. The name of a scope
// is the import path of the package, and its version is the version of the library.
package scope

import (
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Version is the version of the library.
const Version = "0.1.0-dev"

const module = "github.com/waybill-go/waybill/"

// Tracer returns the provider's tracer for the spans of one of our packages. It asks the
// provider when the first span starts. If provider is nil, each span is made by the provider
// that is the global one when the span starts.
func Tracer(provider trace.TracerProvider, pkg string) trace.Tracer {
	return TracerThat(provider, pkg, nil)
}

// TracerThat is Tracer, and calls changed if the global provider changes after a span was
// made by the one before. It may be nil.
func TracerThat(provider trace.TracerProvider, pkg string, changed func()) trace.Tracer {
	if provider == nil {
		return &follower{pkg: pkg, changed: changed}
	}
	return &asker{provider: provider, pkg: pkg}
}

func tracerOf(provider trace.TracerProvider, pkg string) trace.Tracer {
	return provider.Tracer(module+pkg, trace.WithInstrumentationVersion(Version))
}

// Meter returns the provider's meter for the figures of one of our packages.
func Meter(provider metric.MeterProvider, pkg string) metric.Meter {
	return provider.Meter(module+pkg, metric.WithInstrumentationVersion(Version))
}
