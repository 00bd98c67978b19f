// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
)

// BenchmarkChannel sends one message at a time through a channel with room,
// and receives it: raw, and as an envelope from different contexts.
func BenchmarkChannel(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		ch := make(chan order, 1)
		done := b.Context().Done()
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			select {
			case ch <- order{1}:
			case <-done:
			}
			n += (<-ch).ID
		}
		require.Equal(b, b.N, n)
	})
	for name, ctx := range envelopetest.Senders(b) {
		b.Run(name, func(b *testing.B) {
			ch := make(chan envelope.Envelope[order], 1)
			base := envelope.Untraced(b.Context())
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				_ = envelope.Send(ctx, ch, order{1})
				_, m := (<-ch).Unwrap(base)
				n += m.ID
			}
			require.Equal(b, b.N, n)
		})
	}
}

// BenchmarkReceive is the same through Receive's loop. Its baseline ranges
// over a raw channel with a look at its context, as a loop that can be
// stopped must.
func BenchmarkReceive(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		ch := make(chan order, 1)
		done := b.Context().Done()
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			select {
			case ch <- order{1}:
			case <-done:
			}
			select {
			case m := <-ch:
				n += m.ID
			case <-done:
			}
		}
		require.Equal(b, b.N, n)
	})
	for name, ctx := range envelopetest.Senders(b) {
		b.Run(name, func(b *testing.B) {
			provider, recorder := newProvider(b)
			ch := make(chan envelope.Envelope[order], 1)
			_ = envelope.Send(ctx, ch, order{1})
			b.ReportAllocs()
			n := 0
			for _, m := range envelope.Receive(b.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
				if !b.Loop() {
					break
				}
				recorder.Reset()
				n += m.ID
				_ = envelope.Send(ctx, ch, order{1})
			}
			require.Equal(b, b.N, n)
		})
	}
}

// BenchmarkFrom opens what comes out of a channel of any.
func BenchmarkFrom(b *testing.B) {
	for _, c := range []struct {
		name string
		v    any
	}{
		{"bare", order{1}},
		{"wrapped", envelope.Bare(order{1})},
		{"nested", envelope.Bare[any](envelope.Bare(order{1}))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				e, _ := envelope.From[order](c.v)
				n += e.Message().ID
			}
			require.Equal(b, b.N, n)
		})
	}
}
