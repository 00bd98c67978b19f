// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

func TestNilHeader(t *testing.T) {
	var h *header.Header
	assert.False(t, h.SpanContext().IsValid())
	assert.False(t, h.Sampled())
	assert.Zero(t, h.Baggage().Len())
	assert.True(t, h.SentAt().IsZero())
	assert.Nil(t, h.WithSpanContext(trace.SpanContext{}))
	ctx := sampledContext(t)
	assert.Equal(t, ctx, h.Context(ctx), "it takes nothing away")
}

func TestHeaderWithSpanContext(t *testing.T) {
	other := spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{9})
	var none *header.Header
	for name, test := range map[string]func(*testing.T, *header.Header){
		"sampled": func(t *testing.T, h *header.Header) {
			next := h.WithSpanContext(other)
			assert.True(t, next.SpanContext().Equal(other))
			assert.Equal(t, "acme", next.Baggage().Member("customer").Value())
			assert.Equal(t, h.SentAt(), next.SentAt(), "the message was sent when it was sent")
		},
		"unsampled": func(t *testing.T, h *header.Header) {
			next := h.WithSpanContext(spanContext(0))
			assert.True(t, next.SpanContext().Equal(spanContext(0)))
			assert.False(t, next.Sampled())
			assert.True(t, next.SentAt().IsZero())
			assert.Equal(t, time.Now(), next.WithSpanContext(other).SentAt(), "it had none to keep")
		},
		"none": func(t *testing.T, h *header.Header) {
			next := h.WithSpanContext(trace.SpanContext{})
			require.NotNil(t, next)
			assert.Equal(t, "acme", next.Baggage().Member("customer").Value())
			assert.Nil(t, none.WithSpanContext(other).WithSpanContext(trace.SpanContext{}))
		},
		"sampled flag without IDs": func(t *testing.T, h *header.Header) {
			next := h.WithSpanContext(trace.NewSpanContext(trace.SpanContextConfig{TraceFlags: trace.FlagsSampled}))
			require.NotNil(t, next)
			assert.False(t, next.Sampled(), "there is no trace to be sampled")
			assert.True(t, next.SentAt().IsZero())
			assert.True(t, next.SpanContext().Equal(trace.SpanContext{}))
		},
		"on nil": func(t *testing.T, _ *header.Header) {
			next := none.WithSpanContext(other)
			assert.True(t, next.Sampled())
			assert.Equal(t, time.Now(), next.SentAt())
			assert.True(t, none.WithSpanContext(spanContext(0)).SentAt().IsZero())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := header.CarryPolicy{}.Header(withBaggage(t, sampledContext(t), "acme"))
				sent := h.SentAt()
				time.Sleep(time.Second) // Of the bubble's clock.
				test(t, h)
				assert.True(t, h.SpanContext().Equal(spanContext(trace.FlagsSampled)), "the original never changes")
				assert.Equal(t, sent, h.SentAt())
			})
		})
	}
}

func TestHeaderContextAddsOnly(t *testing.T) {
	bagOnly := header.CarryPolicy{}.Header(withBaggage(t, t.Context(), "acme"))
	traceOnly := header.CarryPolicy{}.Header(sampledContext(t))

	ctx := bagOnly.Context(unsampledContext(t))
	assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(0)))
	assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())

	ctx = traceOnly.Context(withBaggage(t, t.Context(), "parent"))
	assert.True(t, trace.SpanContextFromContext(ctx).Equal(spanContext(trace.FlagsSampled)))
	assert.Equal(t, "parent", baggage.FromContext(ctx).Member("customer").Value())
}

// TestHeaderIsShared has many readers of one header, and derives from what
// they read: the race detector must see no write, and no reader a change.
func TestHeaderIsShared(t *testing.T) {
	h := header.CarryPolicy{}.Header(withBaggage(t, sampledContext(t), "acme"))
	sent := h.SentAt()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				ctx := h.Context(header.Untraced(t.Context()))
				bag, err := baggage.FromContext(ctx).SetMember(mustMember(t, "customer", "changed"))
				assert.NoError(t, err)
				assert.Equal(t, "changed", bag.Member("customer").Value())
				assert.NotNil(t, h.WithSpanContext(spanContext(0)))
				state, err := h.SpanContext().TraceState().Insert("k", "v")
				assert.NoError(t, err)
				assert.Equal(t, 1, state.Len())
			}
		})
	}
	wg.Wait()
	assert.Equal(t, "acme", h.Baggage().Member("customer").Value())
	assert.True(t, h.SpanContext().Equal(spanContext(trace.FlagsSampled)))
	assert.Equal(t, sent, h.SentAt())
}

func mustMember(t testing.TB, key, value string) baggage.Member {
	t.Helper()
	m, err := baggage.NewMemberRaw(key, value)
	require.NoError(t, err)
	return m
}
