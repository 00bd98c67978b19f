// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/header"
)

// A header that is written at once needs no allocation, and is the same as another one.
func TestHeaderInRoom(t *testing.T) {
	_, chained := handOn(header.CarryPolicy{}.Header(sampledContext(t)))
	time.Sleep(time.Millisecond)
	for _, ctx := range []context.Context{
		sampledContext(t), chained, withBaggage(t, sampledContext(t), "acme"), withBaggage(t, context.Background(), "acme"),
		unsampledContext(t), context.Background(), nil,
	} {
		for _, policy := range []header.CarryPolicy{{}, {Unsampled: true}, {DropUnsampledBaggage: true}} {
			var room header.Header
			want, got := policy.Header(ctx), policy.HeaderIn(ctx, &room)
			assert.Equal(t, want == nil, got == nil)
			assert.Equal(t, want.SpanContext(), got.SpanContext())
			assert.Equal(t, want.Baggage(), got.Baggage())
			assert.Equal(t, want.Beside(), got.Beside())
			assert.Equal(t, want.Hops(), got.Hops())
			assert.InDelta(t, want.Age(), got.Age(), float64(time.Minute))
			assert.Equal(t, want.Age() > 0, got.Age() > 0)
			assert.Equal(t, want.SentAt().IsZero(), got.SentAt().IsZero())
		}
	}
	ctx := sampledContext(t)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		var room header.Header
		if (header.CarryPolicy{}).HeaderIn(ctx, &room) != &room {
			t.Error("not in the room")
		}
	}))
}
