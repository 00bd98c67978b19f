// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envelopetest has what the tests of envelopes, headers and wire forms need:
// contexts of senders, and a provider whose spans are recorded.
package envelopetest

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/tracestate"
)

// SpanContext returns a span context with those flags. Its identifiers are always the
// same.
func SpanContext(flags trace.TraceFlags) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		SpanID:     trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8},
		TraceFlags: flags,
	})
}

// SampledContext returns a context with a sampled span.
func SampledContext(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), SpanContext(trace.FlagsSampled))
}

// UnsampledContext returns a context with a span that is not sampled.
func UnsampledContext(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), SpanContext(0))
}

// WithBaggage returns ctx with baggage whose only member is called customer and has
// that value.
func WithBaggage(t testing.TB, ctx context.Context, value string) context.Context {
	t.Helper()
	member, err := baggage.NewMemberRaw("customer", value)
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	return baggage.ContextWithBaggage(ctx, bag)
}

// Senders yields contexts of senders, each with the name of what may travel from it.
func Senders(t testing.TB) iter.Seq2[string, context.Context] {
	t.Helper()
	return func(yield func(string, context.Context) bool) {
		_ = yield("no_trace", t.Context()) &&
			yield("unsampled", UnsampledContext(t)) &&
			yield("baggage", WithBaggage(t, t.Context(), "acme")) &&
			yield("sampled", SampledContext(t))
	}
}

// WithTraceState returns ctx with a span context that has the flags and the tracestate.
// Members that the span context cannot hold are beside it.
func WithTraceState(t testing.TB, ctx context.Context, flags trace.TraceFlags, state string) context.Context {
	t.Helper()
	list, ok := tracestate.Read([]string{state})
	require.True(t, ok)
	sc := SpanContext(flags)
	ctx = tracestate.ContextWith(ctx, list.Beside(sc.TraceID()))
	return trace.ContextWithSpanContext(ctx, sc.WithTraceState(list.State))
}

// WholeTraceState returns the tracestate that a propagator would send from ctx.
func WholeTraceState(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	state, _ := tracestate.Encode(sc.TraceState(), tracestate.FromContext(ctx).Of(sc.TraceID()))
	return state
}

// NewProvider returns a provider that samples roots and the children of sampled spans,
// and the recorder of its spans.
func NewProvider(t testing.TB, opts ...sdktrace.TracerProviderOption) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	opts = append([]sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithSpanProcessor(recorder),
	}, opts...)
	provider := sdktrace.NewTracerProvider(opts...)
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider, recorder
}
