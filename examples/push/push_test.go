// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/push/pushpb"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every subscriber gets every price, and ten of a hundred have a span below the publisher's.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, config{subscribers: 100, prices: 2}))
	assert.Regexp(t, `publisher +publish price`, out.String())
	assert.Regexp(t, `feed +broadcast prices`, out.String())
	assert.Regexp(t, `subscriber +show price .* × 10`, out.String())
	assert.Contains(t, out.String(), "2 traced broadcasts to 200 recipients, of which 20 (10 %) were sampled")
	assert.Contains(t, out.String(), "push: 100 subscribers got 200 prices, 0 were refused")
}

func TestWrongFlags(t *testing.T) {
	for _, c := range []config{{0, 1}, {maxSubscribers + 1, 1}, {1, 0}} {
		assert.ErrorIs(t, run(t.Context(), new(strings.Builder), c), errFlags)
	}
}

// newFeed returns a feed with room for that many subscribers.
func newFeed(t *testing.T, limit int) *feed {
	t.Helper()
	prices, err := fanout.New("prices")
	require.NoError(t, err)
	return &feed{prices: prices, limit: limit, closed: t.Context().Done(), subscribers: map[chan price]struct{}{}}
}

// A subscriber that does not take its prices is dropped, and the others are not held up.
func TestASlowSubscriberIsDropped(t *testing.T) {
	f := newFeed(t, 2)
	slow, fast := make(chan price, 1), make(chan price, 3)
	require.True(t, f.join(slow))
	require.True(t, f.join(fast))
	assert.False(t, f.join(make(chan price)), "there is no more room")
	for i, want := range []int64{2, 1, 1} {
		r, err := f.Publish(t.Context(), &pushpb.Price{Symbol: "WAYB", Cents: int64(i)})
		require.NoError(t, err)
		assert.Equal(t, want, r.GetDelivered())
	}
	<-slow
	_, open := <-slow
	assert.False(t, open)
	assert.Len(t, fast, 3)
	f.leave(slow)
	f.leave(fast)
	assert.True(t, f.join(slow), "there is room again")
}

func TestSymbolsAreChecked(t *testing.T) {
	for _, symbol := range []string{"", strings.Repeat("x", maxSymbol+1)} {
		_, err := newFeed(t, 1).Publish(t.Context(), &pushpb.Price{Symbol: symbol})
		assert.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

// A server without room, and one that closes, tell their subscribers.
func TestTheEndOfASubscription(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(tracetest.NewSpanRecorder()))
	s, err := serve(t.Context(), provider)
	require.NoError(t, err)
	conn, err := dial(s.addr, provider)
	require.NoError(t, err)
	client := pushpb.NewFeedClient(conn)
	subscribe := func() (func() error, error) {
		stream, err := client.Subscribe(context.WithoutCancel(t.Context()), &pushpb.SubscribeRequest{})
		require.NoError(t, err)
		next := func() error {
			_, err := stream.Recv()
			return err
		}
		return next, next()
	}
	next, err := subscribe()
	require.NoError(t, err, "it has joined")
	s.mu.Lock()
	s.limit = 1
	s.mu.Unlock()
	_, err = subscribe()
	assert.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.NoError(t, s.close())
	assert.Equal(t, codes.Unavailable, status.Code(next()))
	require.NoError(t, conn.Close())
}
