// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// handOn returns the header of the message that a receiver of h sends, and the
// context in which it does.
func handOn(h *envelope.Header) (*envelope.Header, context.Context) {
	ctx := h.Context(envelope.Untraced(context.Background()))
	return envelope.Carry{}.Header(ctx), ctx
}

func TestHopsAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := envelope.Carry{}.Header(sampledContext(t))
		assert.Equal(t, 1, first.Hops())
		assert.Zero(t, first.Age())
		time.Sleep(time.Minute)
		second, ctx := handOn(first)
		assert.Equal(t, 2, second.Hops())
		assert.Equal(t, time.Minute, second.Age())
		again := envelope.Carry{}.Header(ctx)
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
		assert.Equal(t, 1, envelope.Carry{}.Header(inOther).Hops(), "another trace")

		unsampled := second.WithSpanContext(spanContext(0))
		assert.Zero(t, unsampled.Hops())
		assert.Zero(t, unsampled.Age())
		var none *envelope.Header
		assert.Zero(t, none.Hops())
		assert.Zero(t, none.Age())
	})
}

// A chain may go on for ever, and a clock say anything: age and hops stop at their
// bounds, and never turn negative.
func TestHopsAndAgeStopAtTheirBounds(t *testing.T) {
	const most = 3650 * 24 * time.Hour
	first := envelope.Carry{}.Header(sampledContext(t))
	late := first.WithSentAt(first.SentAt().Add(math.MaxInt64))
	assert.Equal(t, most, late.Age())
	assert.Equal(t, most, late.WithSentAt(late.SentAt().Add(math.MaxInt64)).Age(), "twice as much is no less")
	assert.Equal(t, most, first.WithSentAt(time.Unix(1<<40, 0)).Age(), "further than a duration says")
	early := first.WithSentAt(time.Unix(-1<<40, 0)).WithSentAt(time.Unix(-1<<50, 0))
	assert.Negative(t, early.Age())
	assert.Equal(t, most, early.WithSentAt(time.Unix(1<<50, 0)).WithSentAt(time.Unix(1<<51, 0)).Age())

	for form, data := range map[string]string{
		"binary": frame(field(1, wireIDs+"\x01")+field(5, "\x40\x00\x00\x00\x04\x60\x62\x3f\xc8\x5e\x00\x00"), `{"ID":7}`),
		"JSON":   marked(`{"version":1,`+wireParent+`,"hops":1073741824,"age_ns":315360000000000000}`, `{"ID":7}`),
	} {
		t.Run(form, func(t *testing.T) {
			w := wire(forms[form])
			e, err := w.Decode([]byte(data))
			require.NoError(t, err)
			h := e.Header()
			for range 3 {
				assert.Equal(t, 1<<30, h.Hops())
				assert.Equal(t, most, h.Age())
				h, _ = handOn(h)
			}
			assert.Zero(t, w.Counters.Counts().ChainMalformed, "it is what we write ourselves")
		})
	}
}
