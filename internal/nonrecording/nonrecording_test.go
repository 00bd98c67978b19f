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

type key struct{}

func TestContextWithIsLikeOpenTelemetrys(t *testing.T) {
	require.NotNil(t, nonrecording.Key, "this version of OpenTelemetry was not understood")
	outer, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	for name, with := range map[string]func(context.Context, trace.SpanContext) context.Context{
		"ours": nonrecording.ContextWith, "OpenTelemetry's": trace.ContextWithSpanContext,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := with(outer, caller)
			assert.True(t, caller.Equal(trace.SpanContextFromContext(ctx)))
			assert.Equal(t, "value", ctx.Value(key{}))
			assert.Nil(t, ctx.Value("another"))

			inner := with(ctx, caller.WithSpanID(trace.SpanID{3}))
			assert.Equal(t, trace.SpanID{3}, trace.SpanContextFromContext(inner).SpanID())
			assert.Equal(t, "value", inner.Value(key{}))
			assert.True(t, caller.Equal(trace.SpanContextFromContext(ctx)), "the outer one stays as it is")

			none := with(ctx, trace.SpanContext{})
			assert.False(t, trace.SpanContextFromContext(none).IsValid(), "even that hides the one around it")
			assert.Equal(t, outer.Done(), ctx.Done())
		})
	}
	cancel()
	assert.ErrorIs(t, nonrecording.ContextWith(outer, caller).Err(), context.Canceled)
}

// TestTracersGoOnFromIt: with every provider that there is, of the context or of
// the span itself, the next span continues the trace or is the one that there was.
func TestTracersGoOnFromIt(t *testing.T) {
	ctx := nonrecording.ContextWith(t.Context(), caller)
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
		ctx := nonrecording.ContextWith(t.Context(), sc)
		_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("instrumentation").Start(ctx, "request")
		assert.Equal(t, sc.TraceID(), span.SpanContext().TraceID())
		assert.Equal(t, sc.IsSampled(), span.SpanContext().IsSampled())
		span.End()
	}
	assert.Len(t, recorder.Ended(), 1)
}

func TestSpanRecordsNothing(t *testing.T) {
	span := trace.SpanFromContext(nonrecording.ContextWith(t.Context(), caller))
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

// TestLearnGivesUp: an OpenTelemetry that keeps the current span in another way
// is not understood by halves.
func TestLearnGivesUp(t *testing.T) {
	get, put := trace.SpanFromContext, trace.ContextWithSpan
	require.Equal(t, nonrecording.Key, nonrecording.Learn(get, put))

	assert.Nil(t, nonrecording.Learn(func(context.Context) trace.Span { return noop.Span{} }, put), "asks for nothing")
	assert.Nil(t, nonrecording.Learn(func(ctx context.Context) trace.Span {
		_ = ctx.Value(key{})
		return get(ctx)
	}, put), "asks for something else too")
	assert.Nil(t, nonrecording.Learn(func(ctx context.Context) trace.Span {
		_ = get(ctx)
		return noop.Span{}
	}, put), "does not believe the answer")
	assert.Nil(t, nonrecording.Learn(get, func(ctx context.Context, s trace.Span) context.Context {
		return context.WithValue(ctx, key{}, s)
	}), "keeps it elsewhere")
}

// TestWithoutAKey: then it is OpenTelemetry that makes the context.
func TestWithoutAKey(t *testing.T) {
	defer func(key any) { nonrecording.Key = key }(nonrecording.Key)
	nonrecording.Key = nil
	ctx := nonrecording.ContextWith(t.Context(), caller)
	assert.IsType(t, trace.ContextWithSpanContext(t.Context(), caller), ctx)
	assert.True(t, caller.Equal(trace.SpanContextFromContext(ctx)))
}

func TestContextWithAllocations(t *testing.T) {
	ctx := t.Context()
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { kept = nonrecording.ContextWith(ctx, caller) }), 0)
	assert.InDelta(t, 2, testing.AllocsPerRun(100, func() { kept = trace.ContextWithSpanContext(ctx, caller) }), 0,
		"as long as it takes two, ours is of use")
}

var kept context.Context

func BenchmarkContextWith(b *testing.B) {
	for name, with := range map[string]func(context.Context, trace.SpanContext) context.Context{
		"ours": nonrecording.ContextWith, "otel": trace.ContextWithSpanContext,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				kept = with(ctx, caller)
			}
		})
	}
}
