// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

var errBroken = errors.New("broken")

// What is published is handled in order and acknowledged.
func TestMessagesAreHandledAndAcknowledged(t *testing.T) {
	_, js := start(t)
	q := newQueue(t, js, config())
	var got seen
	c, _ := consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	publish(t, q, 1, 2, 3)
	eventually(t, func() bool { return got.len() == 3 && settled(t, js) })
	for i, d := range got.list() {
		assert.Equal(t, order{i + 1}, d.Message)
		assert.Equal(t, 1, d.Attempt)
		assert.False(t, d.Redelivered)
		assert.Equal(t, "orders", d.Subject)
		assert.Equal(t, uint64(i+1), d.Sequence)
		assert.WithinDuration(t, time.Now(), d.Stored, patience)
	}
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, c.Err())
	s := q.Stats()
	assert.Equal(t, durable.Stats{Published: 3, Received: 3, Handled: 3, Bare: 3}, s)
	require.NoError(t, c.Close(t.Context()), "again")
}

// A message that fails, in whatever way, is delivered again, at most MaxDeliver times, and is
// then a dead letter that says why.
func TestFailuresAreTriedAgainAndThenGivenUp(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.MaxDeliver = 3
	q := newQueue(t, js, conf)
	var got seen
	_, _ = consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		switch d.Message.N {
		case 0:
			return errBroken
		case 1:
			panic(errBroken)
		default:
			runtime.Goexit()
			return nil
		}
	}, mailbox.WithPanicPolicy(mailbox.Continue))
	for n := range 3 {
		_, err := q.Publish(t.Context(), order{n}, durable.WithID(string(rune('a'+n))))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 3 && settled(t, js) })

	attempts := map[int][]int{}
	for _, d := range got.list() {
		attempts[d.Message.N] = append(attempts[d.Message.N], d.Attempt)
		assert.Equal(t, d.Attempt > 1, d.Redelivered)
	}
	assert.Equal(t, map[int][]int{0: {1, 2, 3}, 1: {1, 2, 3}, 2: {1, 2, 3}}, attempts)
	dead := deadLetters(t, js)
	require.Len(t, dead, 3)
	for _, msg := range dead {
		h := msg.Header
		assert.Equal(t, "dead.orders", msg.Subject)
		assert.Equal(t, "failed", h.Get(durable.HeaderReason))
		assert.Equal(t, "3", h.Get(durable.HeaderAttempts))
		assert.Equal(t, "orders", h.Get(durable.HeaderSubject))
		assert.Equal(t, "ORDERS", h.Get(durable.HeaderStream))
		assert.Equal(t, "shipping", h.Get(durable.HeaderConsumer))
		n := int(msg.Data[len(`{"N":`)] - '0')
		assert.Equal(t, string(rune('1'+n)), h.Get(durable.HeaderSequence))
		assert.Equal(t, string(rune('a'+n)), h.Get(durable.HeaderID))
		_, err := time.Parse(time.RFC3339Nano, h.Get(durable.HeaderStored))
		require.NoError(t, err)
		assert.Contains(t, h.Get(durable.HeaderError), []string{"broken", "broken", "Goexit"}[n])
	}
	s := q.Stats()
	assert.Equal(t, uint64(6), s.Failed)
	requireBalance(t, s)
}

// A failing factory has handled nothing, and the message comes again.
func TestFactoryThatFails(t *testing.T) {
	_, js := start(t)
	q := newQueue(t, js, config())
	sys := newSystem(t)
	kind, err := mailbox.NewKind[durable.Item[order]](sys, "shipping")
	require.NoError(t, err)
	var made atomic.Int32
	var got seen
	ref, err := kind.SpawnInstance("", func(
		context.Context, mailbox.Ref[durable.Item[order]],
	) (mailbox.Instance[durable.Item[order]], error) {
		if made.Add(1) == 1 {
			return mailbox.Instance[durable.Item[order]]{}, errBroken
		}
		return mailbox.Instance[durable.Item[order]]{
			Handle: durable.Handler(func(_ context.Context, d durable.Delivery[order]) error {
				got.add(d)
				return nil
			}),
		}, nil
	})
	require.NoError(t, err)
	c, err := q.Consume(t.Context(), ref)
	require.NoError(t, err)
	publish(t, q, 7)
	eventually(t, func() bool { return got.len() == 1 && settled(t, js) })
	assert.Equal(t, 2, got.list()[0].Attempt)
	require.NoError(t, c.Close(t.Context()))
}

// A handling that takes longer than AckWait is not taken for lost, nor is what waits behind it.
func TestLongHandlingsKeepTheirMessages(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.AckWait = 200 * time.Millisecond
	q := newQueue(t, js, conf)
	var got seen
	_, _ = consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		if d.Message.N == 0 {
			<-time.After(5 * conf.AckWait)
		}
		return nil
	})
	publish(t, q, 0, 1, 2)
	eventually(t, func() bool { return got.len() >= 3 && settled(t, js) })
	s := q.Stats()
	assert.Equal(t, 3, got.len())
	assert.Equal(t, uint64(3), s.Received)
	assert.GreaterOrEqual(t, s.Extended, uint64(9), "each of three, at least once in an AckWait")
}

// A program that is gone, without a word, has its messages delivered to another one when
// AckWait is over, and they say so.
func TestMessagesOfAProgramThatIsGone(t *testing.T) {
	server, js := start(t)
	conn := server.Conn(t)
	gone := newQueue(t, streams(t, conn), config())
	begun, goOn := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	lost, _ := consume(t, gone, newSystem(t), func(context.Context, durable.Delivery[order]) error {
		begun <- struct{}{}
		<-goOn
		return nil
	})
	publish(t, gone, 0, 1)
	<-begun
	eventually(t, func() bool { return gone.Stats().Held == 2 })
	conn.Close()
	eventually(t, func() bool { return errors.Is(lost.Err(), nats.ErrConnectionClosed) })

	var got seen
	q := newQueue(t, js, config())
	_, _ = consume(t, q, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	eventually(t, func() bool { return got.len() == 2 && settled(t, js) })
	for _, d := range got.list() {
		assert.True(t, d.Redelivered)
		assert.Equal(t, 2, d.Attempt)
	}
}

// When a process ends, the message that it was handling has had an attempt. Those that waited
// behind it are delivered again, and that does not count against them, however often it happens.
func TestInnocentMessagesOfAProcessThatEnds(t *testing.T) {
	_, js := start(t)
	q := newQueue(t, js, config())
	sys := newSystem(t)
	const messages, rounds = 12, 4
	for n := range messages {
		publish(t, q, n)
	}
	for range rounds {
		begun := make(chan struct{}, messages)
		c, ref := consume(t, q, sys, func(ctx context.Context, _ durable.Delivery[order]) error {
			begun <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		<-begun
		eventually(t, func() bool { return q.Stats().Held == messages })
		ref.Kill()
		select {
		case <-c.Done():
			require.ErrorIs(t, c.Err(), mailbox.ErrStopped)
			require.ErrorIs(t, c.Err(), mailbox.ErrKilled)
		case <-time.After(patience):
			require.Fail(t, "the consumer outlives its process")
		}
		requireBalance(t, q.Stats())
	}
	var got seen
	_, _ = consume(t, q, sys, func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	eventually(t, func() bool { return settled(t, js) })
	attempts := 0
	for _, d := range got.list() {
		assert.True(t, d.Redelivered)
		attempts += d.Attempt - 1
	}
	assert.Equal(t, messages, got.len())
	assert.Equal(t, rounds, attempts)
	assert.Empty(t, deadLetters(t, js))
	s := q.Stats()
	assert.Equal(t, uint64(rounds), s.Failed)
	assert.Zero(t, s.Forgotten)
	requireBalance(t, s)
}
