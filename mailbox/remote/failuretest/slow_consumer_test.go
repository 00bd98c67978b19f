// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// nodeOn makes a node of this program, until the test ends.
func nodeOn(t *testing.T, id string, conn *nats.Conn, limits remote.Limits) *node {
	t.Helper()
	sys := mailbox.NewSystem(mailbox.WithLogger(nil))
	n, err := remote.NewNode(sys, conn, remote.WithID(id), remote.WithLogger(nil), remote.WithLimits(limits))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		_ = n.Close(ctx) // The test may have broken the connection.
		assert.NoError(t, sys.Shutdown(ctx))
	})
	return &node{Node: n, sys: sys}
}

// memory returns how much of the heap is in use, in bytes.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What must hold when a process handles nothing for a while, and others send it more than its
// node may keep: the mailbox and what waits before it stay within their bounds, so memory does
// too. Each message is handled once or counted as dropped. When the process goes on, so do the
// messages, without a person.
func TestSlowProcessIsFilled(t *testing.T) {
	const capacity, pending, size = 64, 500, 4 << 10
	n := long(t, 10_000, 200_000)
	s := natstest.Start(t, natstest.Options{})
	sender := nodeOn(t, "sender", s.Conn(t), remote.Limits{})
	receiver := nodeOn(t, "receiver", s.Conn(t), remote.Limits{MaxPending: pending})

	handled, gate := newLedger(), make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	slow, err := mailbox.Spawn(receiver.sys, "slow", func(_ context.Context, o order) error {
		<-gate
		handled.hear(report{What: "handled", Seq: o.Seq})
		return nil
	}, mailbox.WithCapacity(capacity))
	require.NoError(t, err)
	_, err = remote.Serve(receiver.Node, "slow", slow, remote.Protocol[order]{})
	require.NoError(t, err)
	require.NoError(t, receiver.Conn().Flush())
	to, err := remote.NewRef(sender.Node, "slow", "slow", remote.Protocol[order]{})
	require.NoError(t, err)

	text := strings.Repeat("x", size)
	before := memory()
	for seq := range int64(n) {
		require.NoError(t, to.Send(t.Context(), order{Seq: seq + 1, Text: text}))
	}
	require.Eventually(t, func() bool { return sender.Stats().Sent == uint64(n) }, patience, poll)
	require.NoError(t, sender.Conn().Flush())
	require.NoError(t, receiver.Conn().Flush())
	// What may be kept takes a few MiB; all of it would take ten times that.
	const bound = 8 << 20
	require.Greater(t, n*size, 4*bound)
	assert.Eventually(t, func() bool { return memory() < before+bound }, patience, poll,
		"once pools and buffers have been collected, which takes more than one collection")
	assert.Positive(t, receiver.Stats().Dropped)

	open()
	require.Eventually(t, func() bool {
		stats := receiver.Stats()
		return stats.Received+stats.Dropped == uint64(n) && len(handled.of("/")) == int(stats.Delivered)
	}, patience, poll, "each is handled or counted")
	increasing(t, "slow", handled.of("/"))
	stats := receiver.Stats()
	assert.Equal(t, stats.Received, stats.Delivered)
	assert.GreaterOrEqual(t, stats.Received, uint64(pending))

	require.NoError(t, to.Send(t.Context(), order{Seq: int64(n) + 1}))
	require.Eventually(t, func() bool { return handled.last("/") == int64(n)+1 }, patience, poll, "it goes on")
	t.Logf("%d sent, %d handled, %d dropped", n, stats.Received, stats.Dropped)
}

// What must hold when a node reads more slowly than others send: the server drops its
// connection, and with it what waited there, rather than keep it. The node connects again
// without a person, and gets what is sent from then on. Nothing is handled twice or out of order.
// What was lost is the difference of what was sent and received.
func TestSlowLinkIsFilled(t *testing.T) {
	const size = 4 << 10
	s := natstest.Start(t, natstest.Options{Change: func(o *server.Options) {
		o.MaxPending = 1 << 20
		o.WriteDeadline = time.Second
	}})
	link := natstest.NewLink(t, s.Addr())
	sender := nodeOn(t, "sender", s.Conn(t), remote.Limits{})
	receiver := nodeOn(t, "receiver", link.Conn(t), remote.Limits{})
	handled := newLedger()
	process, err := mailbox.Spawn(receiver.sys, "slow", func(_ context.Context, o order) error {
		handled.hear(report{What: "handled", Seq: o.Seq})
		return nil
	})
	require.NoError(t, err)
	_, err = remote.Serve(receiver.Node, "slow", process, remote.Protocol[order]{})
	require.NoError(t, err)
	require.NoError(t, receiver.Conn().Flush())
	to, err := remote.NewRef(sender.Node, "slow", "slow", remote.Protocol[order]{})
	require.NoError(t, err)

	link.Throttle(256 << 10)
	text := strings.Repeat("x", size)
	seq := int64(0)
	send := func() {
		seq++
		require.NoError(t, to.Send(t.Context(), order{Seq: seq, Text: text}))
	}
	require.Eventually(t, func() bool {
		for range 100 {
			send()
		}
		return s.Server().NumSlowConsumers() > 0
	}, patience, poll, "the server gives up on it")
	link.Heal()
	require.Eventually(t, func() bool {
		if handled.last("/") == seq {
			return true
		}
		send()
		return false
	}, patience, 5*poll, "it goes on")
	seqs := handled.of("/")
	increasing(t, "slow", seqs)
	assert.Equal(t, uint64(seq), sender.Stats().Sent)
	require.Eventually(t, func() bool {
		stats := receiver.Stats()
		return stats.Received == uint64(len(handled.of("/"))) && stats.Dropped == 0
	}, patience, poll)
	t.Logf("%d sent, %d lost", seq, len(gaps(seqs, seq, 1)))
}
