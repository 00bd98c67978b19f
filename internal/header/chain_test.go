// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// handOn returns the header of the message that a receiver of h sends, and the
// context in which it does.
func handOn(h *header.Header) (*header.Header, context.Context) {
	ctx := h.Context(header.Untraced(context.Background()))
	return header.CarryPolicy{}.Header(ctx), ctx
}

func TestHopsAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := header.CarryPolicy{}.Header(sampledContext(t))
		assert.Equal(t, 1, first.Hops())
		assert.Zero(t, first.Age())
		time.Sleep(time.Minute)
		second, ctx := handOn(first)
		assert.Equal(t, 2, second.Hops())
		assert.Equal(t, time.Minute, second.Age())
		again := header.CarryPolicy{}.Header(ctx)
		assert.Equal(t, 2, again.Hops(), "two messages of one receiver are equally far")
		time.Sleep(time.Minute)
		third, _ := handOn(second)
		assert.Equal(t, 3, third.Hops())
		assert.Equal(t, 2*time.Minute, third.Age())

		later := second.WithSentAt(second.SentAt().Add(time.Hour))
		assert.Equal(t, 2, later.Hops())
		assert.Equal(t, time.Hour+time.Minute, later.Age())

		sibling := second.WithSpanContext(second.SpanContext().WithSpanID(trace.SpanID{7}))
		assert.Equal(t, 2, sibling.Hops(), "the same trace")
		assert.Equal(t, time.Minute, sibling.Age())
		other := second.WithSpanContext(second.SpanContext().WithTraceID(trace.TraceID{7}))
		assert.Equal(t, 1, other.Hops(), "another trace")
		assert.Zero(t, other.Age())

		inOther := trace.ContextWithSpanContext(ctx, second.SpanContext().WithTraceID(trace.TraceID{7}))
		assert.Equal(t, 1, header.CarryPolicy{}.Header(inOther).Hops(), "another trace")

		unsampled := second.WithSpanContext(spanContext(0))
		assert.Zero(t, unsampled.Hops())
		assert.Zero(t, unsampled.Age())
		var none *header.Header
		assert.Zero(t, none.Hops())
		assert.Zero(t, none.Age())
	})
}

// A chain may go on for ever, and a clock say anything: age and hops stop at their
// bounds, and never turn negative.
func TestHopsAndAgeStopAtTheirBounds(t *testing.T) {
	const most = 3650 * 24 * time.Hour // As MaxAge says.
	first := header.CarryPolicy{}.Header(sampledContext(t))
	late := first.WithSentAt(first.SentAt().Add(math.MaxInt64))
	assert.Equal(t, most, late.Age())
	assert.Equal(t, most, late.WithSentAt(late.SentAt().Add(math.MaxInt64)).Age(), "twice as much is no less")
	assert.Equal(t, most, first.WithSentAt(time.Unix(1<<40, 0)).Age(), "further than a duration says")
	early := first.WithSentAt(time.Unix(-1<<40, 0)).WithSentAt(time.Unix(-1<<50, 0))
	assert.Negative(t, early.Age())
	assert.Equal(t, most, early.WithSentAt(time.Unix(1<<50, 0)).WithSentAt(time.Unix(1<<51, 0)).Age())
}
