// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Many handlers here panic.
	goleak.VerifyTestMain(m)
}

const (
	// patience is how long a test waits for what must happen, on a machine that is busy.
	patience = time.Minute
	// poll is how long a test waits between two looks.
	poll = 5 * time.Millisecond
)

// order is the message of most tests.
type order struct{ N int }

// config is for fast tests.
func config() durable.Config[order] {
	return durable.Config[order]{
		Stream: "ORDERS", Subject: "orders", Consumer: "shipping", DeadLetter: "dead.orders",
		AckWait: time.Second, Backoff: []time.Duration{10 * time.Millisecond},
	}
}

// start runs a server with a stream for orders and one for dead letters.
func start(t testing.TB) (*natstest.Server, jetstream.JetStream) {
	t.Helper()
	s := natstest.Start(t, natstest.Options{JetStream: true})
	js := streams(t, s.Conn(t))
	for name, subject := range map[string]string{"ORDERS": "orders", "DEAD": "dead.>"} {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: name, Subjects: []string{subject}, AllowRollup: true,
		})
		require.NoError(t, err)
	}
	return s, js
}

func streams(t testing.TB, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

func newQueue(t testing.TB, js jetstream.JetStream, c durable.Config[order]) *durable.Queue[order] {
	t.Helper()
	q, err := durable.New(js, c)
	require.NoError(t, err)
	return q
}

// newSystem makes a system that ends with the test.
func newSystem(t testing.TB, opts ...mailbox.SystemOption) *mailbox.System {
	t.Helper()
	sys := mailbox.NewSystem(opts...)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = sys.Shutdown(ctx)
	})
	return sys
}

// consume has a process of its own handle the messages, until the test ends.
func consume(
	t testing.TB, q *durable.Queue[order], sys *mailbox.System,
	handle func(context.Context, durable.Delivery[order]) error, opts ...mailbox.KindOption,
) (*durable.Consumer[order], mailbox.Ref[durable.Item[order]]) {
	t.Helper()
	ref, err := mailbox.Spawn(sys, "shipping", durable.Handler(handle), opts...)
	require.NoError(t, err)
	c, err := q.Consume(t.Context(), ref)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = c.Close(ctx)
	})
	return c, ref
}

func publish(t testing.TB, q *durable.Queue[order], numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		_, err := q.Publish(t.Context(), order{n})
		require.NoError(t, err)
	}
}

// seen notes what handlers get.
type seen struct {
	mu  sync.Mutex
	all []durable.Delivery[order]
}

func (s *seen) add(d durable.Delivery[order]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *seen) list() []durable.Delivery[order] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]durable.Delivery[order](nil), s.all...)
}

func (s *seen) len() int { return len(s.list()) }

// eventually waits until something holds.
func eventually(t testing.TB, holds func() bool, args ...any) {
	t.Helper()
	require.Eventually(t, holds, patience, poll, args...)
}

// settled reports whether the server has nothing left to deliver to the consumer, and waits
// for no acknowledgement.
func settled(t testing.TB, js jetstream.JetStream) bool {
	t.Helper()
	c, err := js.Consumer(t.Context(), "ORDERS", "shipping")
	if err != nil {
		return false // The server is away.
	}
	info := c.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending == 0
}

// deadLetters returns the messages in the stream of dead letters.
func deadLetters(t testing.TB, js jetstream.JetStream) []*jetstream.RawStreamMsg {
	t.Helper()
	stream, err := js.Stream(t.Context(), "DEAD")
	require.NoError(t, err)
	state := stream.CachedInfo().State
	var all []*jetstream.RawStreamMsg
	for seq := state.FirstSeq; seq > 0 && seq <= state.LastSeq; seq++ {
		msg, err := stream.GetMsg(t.Context(), seq)
		require.NoError(t, err)
		all = append(all, msg)
	}
	return all
}

// requireBalance checks that everything that was received is accounted for.
func requireBalance(t testing.TB, s durable.Stats) {
	t.Helper()
	require.Equal(t, s.Received, s.Handled+s.Failed+s.Returned+s.DeadLetters.Total()+s.Held, "%+v", s)
}
