// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// order is the message of most tests.
type order struct{ ID int }

// inner returns h as the packages of this library see it.
func inner(h *envelope.Header) *header.Header { return (*header.Header)(h) }

// with puts message into an envelope that carries h.
func with[M any](message M, h *header.Header) envelope.Envelope[M] {
	return envelope.WithHeader(message, (*envelope.Header)(h))
}

func spanContext(flags trace.TraceFlags) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		SpanID:     trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8},
		TraceFlags: flags,
	})
}

func sampledContext(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), spanContext(trace.FlagsSampled))
}

func unsampledContext(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), spanContext(0))
}

func withBaggage(t testing.TB, ctx context.Context, value string) context.Context {
	t.Helper()
	member, err := baggage.NewMemberRaw("customer", value)
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	return baggage.ContextWithBaggage(ctx, bag)
}

// newProvider returns a provider that samples new roots and what is below
// sampled parents, and the recorder of its spans.
func newProvider(t testing.TB, opts ...sdktrace.TracerProviderOption) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
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
