// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
