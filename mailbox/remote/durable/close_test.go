// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// Close waits for what the mailbox has taken, hands back what it has not, and takes nothing
// more.
func TestCloseDrains(t *testing.T) {
	server, js := start(t)
	q := newQueue(t, js, config())
	var got seen
	goOn := make(chan struct{})
	sys := newSystem(t)
	c, _ := consume(t, q, sys, func(_ context.Context, d durable.Delivery[order]) error {
		<-goOn
		got.add(d)
		return nil
	}, mailbox.WithCapacity(2))
	const messages = 8
	for n := range messages {
		publish(t, q, n)
	}
	eventually(t, func() bool { return q.Stats().Held == messages && sys.Stats().Waiting == 1 })

	closed := make(chan error, 1)
	go func() { closed <- c.Close(t.Context()) }()
	eventually(t, func() bool { return q.Stats().Returned > 0 })
	select {
	case <-c.Done():
		require.Fail(t, "Close does not wait for what is in the mailbox")
	default:
	}
	publish(t, q, messages)
	close(goOn)
	require.NoError(t, <-closed)
	s := q.Stats()
	requireBalance(t, s)
	assert.Zero(t, s.Held)
	here := got.len()
	assert.GreaterOrEqual(t, here, 3, "one in hand and two in the mailbox")
	assert.Equal(t, s.Handled, uint64(here))

	other := newQueue(t, streams(t, server.Conn(t)), config())
	_, _ = consume(t, other, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	eventually(t, func() bool { return settled(t, js) })
	assert.Equal(t, messages+1, got.len(), "each once")
	for _, d := range got.list() {
		assert.Equal(t, 1, d.Attempt)
	}
}

// If its context ends first, Close hands back everything, and returns: what has not begun is
// not handled here any more.
func TestCloseHandsBackWhenItsContextEnds(t *testing.T) {
	server, js := start(t)
	q := newQueue(t, js, config())
	var got seen
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	sys := newSystem(t)
	c, ref := consume(t, q, sys, func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		begun <- struct{}{}
		<-goOn
		return nil
	})
	publish(t, q, 0, 1, 2)
	<-begun
	eventually(t, func() bool { return q.Stats().Held == 3 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Close(ctx)
	require.ErrorIs(t, err, durable.ErrClosed)
	require.ErrorIs(t, err, context.Canceled)
	requireBalance(t, q.Stats())
	assert.Equal(t, uint64(3), q.Stats().Returned)

	var there seen
	other := newQueue(t, streams(t, server.Conn(t)), config())
	_, _ = consume(t, other, newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		there.add(d)
		return nil
	})
	eventually(t, func() bool { return settled(t, js) && there.len() == 3 })
	for _, d := range there.list() {
		assert.True(t, d.Redelivered)
		assert.Equal(t, map[int]int{0: 2, 1: 1, 2: 1}[d.Message.N], d.Attempt, "only one had begun")
	}
	close(goOn)
	require.NoError(t, ref.Stop(t.Context()))
	assert.Equal(t, 1, got.len())
	requireBalance(t, q.Stats())
}

// A consumer ends when its connection is closed, or the server has no such consumer any more.
// It does not make the consumer again, because that would deliver all messages again.
func TestConsumerEnds(t *testing.T) {
	server, js := start(t)
	nothing := func(context.Context, durable.Delivery[order]) error { return nil }
	conn := server.Conn(t)
	c, _ := consume(t, newQueue(t, streams(t, conn), config()), newSystem(t), nothing)
	conn.Close()
	<-c.Done()
	require.ErrorIs(t, c.Err(), nats.ErrConnectionClosed)

	c, _ = consume(t, newQueue(t, js, config()), newSystem(t), nothing)
	require.NoError(t, js.DeleteConsumer(t.Context(), "ORDERS", "shipping"))
	<-c.Done()
	require.ErrorIs(t, c.Err(), jetstream.ErrConsumerNotFound)
	_, err := js.Consumer(t.Context(), "ORDERS", "shipping")
	require.ErrorIs(t, err, jetstream.ErrConsumerNotFound)
}

// A link that takes nothing does not hold up Close for longer than its context and a second.
// What was being handled then is delivered to others.
func TestCloseWithALinkThatHangs(t *testing.T) {
	server, js := start(t)
	link := natstest.NewLink(t, server.Addr())
	q := newQueue(t, streams(t, link.Conn(t)), config())
	begun, goOn := make(chan struct{}), make(chan struct{})
	c, _ := consume(t, q, newSystem(t), func(context.Context, durable.Delivery[order]) error {
		close(begun)
		<-goOn
		return nil
	})
	publish(t, newQueue(t, js, config()), 0, 1)
	<-begun
	eventually(t, func() bool { return q.Stats().Held == 2 })
	link.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := time.Now()
	require.ErrorIs(t, c.Close(ctx), durable.ErrClosed)
	assert.Less(t, time.Since(before), patience/2)
	link.Cut()
	close(goOn)

	var got seen
	_, _ = consume(t, newQueue(t, js, config()), newSystem(t), func(_ context.Context, d durable.Delivery[order]) error {
		got.add(d)
		return nil
	})
	eventually(t, func() bool { return got.len() == 2 && settled(t, js) })
	link.Heal()
	<-c.Done()
	requireBalance(t, q.Stats())
}
