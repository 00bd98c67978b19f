// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
)

// BenchmarkHandler handles one message at a time: with a plain function, and
// with a handler made of it. The channel is left out.
func BenchmarkHandler(b *testing.B) {
	n := 0
	count := func(_ context.Context, m order) error {
		n += m.ID
		return nil
	}
	b.Run("raw", func(b *testing.B) {
		ctx, handle := b.Context(), count
		n = 0
		b.ReportAllocs()
		for b.Loop() {
			_ = handle(ctx, order{1})
		}
		require.Equal(b, b.N, n)
	})
	for name, ctx := range envelopetest.Senders(b) {
		b.Run(name, func(b *testing.B) {
			provider, recorder := newProvider(b)
			handle := envelope.Handler(b.Context(), "h", count, envelope.WithTracerProvider(provider))
			e := envelope.Wrap(ctx, order{1})
			n = 0
			b.ReportAllocs()
			for b.Loop() {
				if e.Header().Sampled() {
					recorder.Reset()
				}
				_ = handle(e)
			}
			require.Equal(b, b.N, n)
		})
	}
}

// BenchmarkBatchHandler handles a hundred messages at a time, of senders of
// their own.
func BenchmarkBatchHandler(b *testing.B) {
	n := 0
	count := func(_ context.Context, batch orders) error {
		n += len(batch)
		return nil
	}
	untraced := make(orders, 100)
	traced := make(orders, 100)
	for i := range traced {
		traced[i] = envelope.Wrap(senderContext(b, i), order{i})
	}
	for _, c := range []struct {
		name  string
		batch orders
	}{{"untraced", untraced}, {"sampled", traced}} {
		b.Run(c.name, func(b *testing.B) {
			provider, recorder := newProvider(b)
			handle := envelope.BatchHandler(b.Context(), "h", count, envelope.WithTracerProvider(provider))
			n = 0
			b.ReportAllocs()
			for b.Loop() {
				recorder.Reset()
				_ = handle(c.batch)
			}
			require.Equal(b, 100*b.N, n)
		})
	}
}
