// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

func TestSendCarriesTheTrace(t *testing.T) {
	ch := make(chan envelope.Envelope[order], 3)
	require.NoError(t, envelope.Send(sampledContext(t), ch, order{1}))
	require.NoError(t, envelope.Send(unsampledContext(t), ch, order{2}))
	require.True(t, envelope.TrySend(sampledContext(t), ch, order{3}))

	e := <-ch
	assert.Equal(t, order{1}, e.Message())
	assert.True(t, e.Header().SpanContext().Equal(spanContext(trace.FlagsSampled)))
	e = <-ch
	assert.Equal(t, order{2}, e.Message())
	assert.False(t, e.Header().SpanContext().IsValid())
	e = <-ch
	assert.Equal(t, order{3}, e.Message())
	assert.True(t, e.Header().Sampled())
}

func TestSendWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := make(chan envelope.Envelope[order])
		sent := make(chan error, 1)
		go func() { sent <- envelope.Send(t.Context(), ch, order{1}) }()
		synctest.Wait()
		assert.Empty(t, sent, "nobody received yet")
		assert.Equal(t, order{1}, (<-ch).Message())
		require.NoError(t, <-sent)
	})
}

func TestSendEndsWithItsContext(t *testing.T) {
	for name, test := range map[string]struct {
		derive func(context.Context) (context.Context, context.CancelFunc)
		want   error
	}{
		"cancelled": {context.WithCancel, context.Canceled},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, ch := range []chan envelope.Envelope[order]{
					make(chan envelope.Envelope[order]),
					make(chan envelope.Envelope[order], 1),
					nil,
				} {
					if cap(ch) > 0 {
						ch <- envelope.Bare(order{0})
					}
					ctx, cancel := test.derive(t.Context())
					sent := make(chan error, 1)
					go func() { sent <- envelope.Send(ctx, ch, order{1}) }()
					synctest.Wait()
					assert.Empty(t, sent, "it waits while its context lasts")
					if test.want == context.Canceled {
						cancel()
					}
					require.ErrorIs(t, <-sent, test.want)
					require.Error(t, envelope.Send(ctx, ch, order{2}), "and no longer at all afterwards")
					cancel()
					if cap(ch) > 0 {
						assert.Equal(t, order{0}, (<-ch).Message())
					}
					assert.Empty(t, ch, "after an error the message was not sent")
				}
			})
		})
	}
}

func TestTrySendNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		full := make(chan envelope.Envelope[order], 1)
		assert.True(t, envelope.TrySend(ctx, full, order{1}))
		assert.False(t, envelope.TrySend(ctx, full, order{2}))
		assert.Equal(t, order{1}, (<-full).Message())
		assert.Empty(t, full)
		assert.False(t, envelope.TrySend(ctx, nil, order{1}))

		direct := make(chan envelope.Envelope[order])
		assert.False(t, envelope.TrySend(ctx, direct, order{1}), "nobody receives")
		received := make(chan order)
		go func() { received <- (<-direct).Message() }()
		synctest.Wait()
		assert.True(t, envelope.TrySend(ctx, direct, order{2}), "somebody does")
		assert.Equal(t, order{2}, <-received)
	})
}
