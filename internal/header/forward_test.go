// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// A message that is only handed on stays what it is, however long that takes.
func TestForwardIsNoHop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := header.CarryPolicy{}.Header(withBaggage(t, sampledContext(t), "acme")).ForSampled(true)
		ctx := h.Context(header.Untraced(t.Context()))
		time.Sleep(time.Minute)
		assert.Same(t, h, header.Forward(ctx))

		inSpan := h.SpanContext().WithSpanID(trace.SpanID{9})
		next := header.Forward(trace.ContextWithSpanContext(ctx, inSpan))
		require.NotNil(t, next)
		assert.True(t, next.SpanContext().Equal(inSpan))
		assert.Equal(t, 2, next.Hops())
		assert.Equal(t, time.Minute, next.Age())
	})
}

// What a policy has let in goes on, and a handling without a trace gives nothing.
func TestForwardWithoutATrace(t *testing.T) {
	assert.Nil(t, header.Forward(t.Context()))
	assert.Nil(t, header.Forward(header.Untraced(t.Context())))
	skipped := header.CarryPolicy{}.Header(sampledContext(t)).Skip(false)
	assert.Nil(t, header.Forward(skipped.Context(header.Untraced(t.Context()))))

	bag := header.CarryPolicy{}.Header(withBaggage(t, t.Context(), "acme"))
	next := header.Forward(bag.Context(header.Untraced(t.Context())))
	require.NotNil(t, next)
	assert.Equal(t, "acme", next.Baggage().Member("customer").Value())
	assert.False(t, next.SpanContext().IsValid())

	unsampled := header.CarryPolicy{Unsampled: true}.Header(unsampledContext(t))
	next = header.Forward(unsampled.Context(header.Untraced(t.Context())))
	require.NotNil(t, next)
	assert.True(t, next.SpanContext().Equal(spanContext(0)))
}
