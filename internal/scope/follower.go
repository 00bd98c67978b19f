// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"context"
	"reflect"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// follower is a tracer of whatever provider is the global one when a span starts.
// OpenTelemetry's own global tracer follows the first provider that is set, and no other.
type follower struct {
	embedded.Tracer

	pkg     string
	changed func() // May be nil.
	last    atomic.Pointer[lastTracer]
}

// lastTracer is the tracer of the provider that was the global one at the last span.
type lastTracer struct {
	tracer     trace.Tracer
	provider   trace.TracerProvider
	comparable bool // To compare another provider with this one does not panic.
}

// Start implements trace.Tracer.
func (f *follower) Start(
	ctx context.Context, name string, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	return f.of(otel.GetTracerProvider()).Start(ctx, name, opts...)
}

// of returns the provider's tracer.
func (f *follower) of(provider trace.TracerProvider) trace.Tracer {
	last := f.last.Load()
	if last == nil || !last.comparable || last.provider != provider {
		if f.changed != nil && last != nil && last.comparable {
			f.changed()
		}
		last = &lastTracer{
			tracer: tracerOf(provider, f.pkg), provider: provider,
			comparable: reflect.ValueOf(provider).Comparable(),
		}
		f.last.Store(last)
	}
	return last.tracer
}
