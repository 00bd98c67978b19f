// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nonrecording_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/nonrecording"
)

var caller = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
})

// with returns parent with sc as the span context of the current span.
func with(parent context.Context, sc trace.SpanContext) context.Context {
	span := nonrecording.NewSpan(&sc)
	return trace.ContextWithSpan(parent, &span)
}

// TestTracersGoOnFromIt: with every provider that there is, of the context or of
// the span itself, the next span continues the trace or is the one that there was.
func TestTracersGoOnFromIt(t *testing.T) {
	ctx := with(t.Context(), caller)
	for name, provider := range map[string]trace.TracerProvider{
		"no-op": noop.NewTracerProvider(), "SDK": sdktrace.NewTracerProvider(),
		"never":           sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"global, not set": otel.GetTracerProvider(), "its own": trace.SpanFromContext(ctx).TracerProvider(),
	} {
		t.Run(name, func(t *testing.T) {
			next, span := provider.Tracer("test").Start(ctx, "next")
			assert.Equal(t, caller.TraceID(), span.SpanContext().TraceID())
			assert.Equal(t, caller.TraceID(), trace.SpanContextFromContext(next).TraceID())
			span.End()
		})
	}
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	_, span := tracer.Start(ctx, "next")
	span.End()
	require.Len(t, recorder.Ended(), 1)
	assert.True(t, caller.Equal(recorder.Ended()[0].Parent()), "remote as it was")
}

// TestProviderOfASpan: instrumentation that asks the current span for its provider
// records below a sampled one that came from elsewhere, and below no other.
func TestProviderOfASpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithSampler(sdktrace.AlwaysSample())))
	for _, sc := range []trace.SpanContext{caller, caller.WithTraceFlags(0)} {
		ctx := with(t.Context(), sc)
		_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("instrumentation").Start(ctx, "request")
		assert.Equal(t, sc.TraceID(), span.SpanContext().TraceID())
		assert.Equal(t, sc.IsSampled(), span.SpanContext().IsSampled())
		span.End()
	}
	assert.Len(t, recorder.Ended(), 1)
}

func TestSpanRecordsNothing(t *testing.T) {
	span := trace.SpanFromContext(with(t.Context(), caller))
	span.SetName("name")
	span.SetAttributes()
	span.AddEvent("event")
	span.AddLink(trace.Link{SpanContext: caller})
	span.SetStatus(codes.Error, "status")
	span.RecordError(assert.AnError)
	span.End()
	assert.False(t, span.IsRecording())
	assert.True(t, caller.Equal(span.SpanContext()))
}
