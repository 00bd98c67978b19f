// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// asker is the tracer of a provider that is asked for it when the first span starts. To ask
// takes more stack than a goroutine begins with, and most goroutines that handle messages
// never start a span.
type asker struct {
	embedded.Tracer

	provider trace.TracerProvider
	pkg      string
	tracer   atomic.Pointer[trace.Tracer]
}

// Start implements trace.Tracer.
func (a *asker) Start(
	ctx context.Context, name string, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	tracer := a.tracer.Load()
	if tracer == nil { // Several goroutines may ask. All get the same tracer, or equal ones.
		asked := tracerOf(a.provider, a.pkg)
		tracer = &asked
		a.tracer.Store(tracer)
	}
	return (*tracer).Start(ctx, name, opts...)
}
