// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
)

// untracedContexts are those from which nothing is to travel.
func untracedContexts(t *testing.T) map[string]context.Context {
	t.Helper()
	return map[string]context.Context{
		"no trace":        t.Context(),
		"unsampled trace": unsampledContext(t),
		"sentinel":        envelope.Untraced(t.Context()),
	}
}

func TestUntracedAllocatesNothing(t *testing.T) {
	base := envelope.Untraced(t.Context())
	for name, ctx := range untracedContexts(t) {
		ch := make(chan envelope.Envelope[order], 1)
		mixed := make(chan any, 1)
		boxed := any(envelope.Wrap(ctx, order{1}))
		for what, f := range map[string]func(){
			"wrap and unwrap": func() {
				e := envelope.Wrap(ctx, order{1})
				_, m := e.Unwrap(base)
				sink += m.ID
			},
			"send and receive": func() {
				_ = envelope.Send(ctx, ch, order{1})
				_, m := (<-ch).Unwrap(base)
				sink += m.ID
			},
			"try to send": func() {
				envelope.TrySend(ctx, ch, order{1})
				envelope.TrySend(ctx, ch, order{2}) // It is full.
				sink += (<-ch).Message().ID
			},
			"from": func() {
				mixed <- boxed
				e, _ := envelope.From[order](<-mixed)
				sink += e.Message().ID
			},
			"carry":    func() { _ = envelope.CarryPolicy{DropUnsampledBaggage: true}.Header(ctx) },
			"untraced": func() { _ = envelope.Untraced(base) },
		} {
			assert.Zero(t, testing.AllocsPerRun(200, f), "%s, %s", what, name)
		}
	}
}

var sink int

// receiveAllocs counts the allocations of a loop over n messages that lie
// ready in a channel, their sending included.
func receiveAllocs(t *testing.T, ctx context.Context, n int) float64 {
	t.Helper()
	ch := make(chan envelope.Envelope[order], n)
	provider := envelope.WithTracerProvider(noop.NewTracerProvider())
	return testing.AllocsPerRun(5, func() {
		for i := range n {
			_ = envelope.Send(ctx, ch, order{i})
		}
		left := n
		for _, m := range envelope.Receive(t.Context(), ch, "r", provider) {
			sink += m.ID
			if left--; left == 0 {
				break
			}
		}
	})
}

// TestReceiveLoopAllocatesNothing compares loops of different length: what a
// loop allocates to begin, a message must not add to.
func TestReceiveLoopAllocatesNothing(t *testing.T) {
	for name, ctx := range untracedContexts(t) {
		assert.Zero(t, receiveAllocs(t, ctx, 1001)-receiveAllocs(t, ctx, 1), name)
	}
	// Negative control: traced messages do allocate.
	assert.GreaterOrEqual(t, receiveAllocs(t, sampledContext(t), 1001)-receiveAllocs(t, sampledContext(t), 1), 1000.0)
}

func TestTracedCostsOneHeader(t *testing.T) {
	keep := envelope.CarryPolicy{Unsampled: true}
	for name, f := range map[string]func() func(){
		"sampled": func() func() {
			ctx := sampledContext(t)
			return func() { escaped = envelope.Wrap(ctx, order{1}).Header() }
		},
		"sampled with baggage": func() func() {
			ctx := withBaggage(t, sampledContext(t), "acme")
			return func() { escaped = envelope.Wrap(ctx, order{1}).Header() }
		},
		"baggage": func() func() {
			ctx := withBaggage(t, t.Context(), "acme")
			return func() { escaped = envelope.Wrap(ctx, order{1}).Header() }
		},
		"unsampled, carried": func() func() {
			ctx := unsampledContext(t)
			return func() { escaped = keep.Header(ctx) }
		},
	} {
		assert.InDelta(t, 1, testing.AllocsPerRun(200, f()), 0, name)
	}
	require.NotNil(t, escaped)

	h := escaped
	assert.Zero(t, testing.AllocsPerRun(200, func() { sink += envelope.New(order{1}, h).Message().ID }),
		"recipients share a header for nothing")
}

var escaped *envelope.Header
