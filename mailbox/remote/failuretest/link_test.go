// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// pair is two nodes, of which one reaches the server over a link that a test disturbs.
type pair struct {
	link             *natstest.Link
	sender, receiver *node
	handled          *ledger
	to               mailbox.Ref[any]
	seq              int64
}

// newPair makes one in which the sender is behind the link.
func newPair(t *testing.T, options ...nats.Option) *pair {
	t.Helper()
	s := natstest.Start(t, natstest.Options{})
	p := &pair{link: natstest.NewLink(t, s.Addr()), handled: newLedger()}
	p.sender = nodeOn(t, "sender", p.link.Conn(t, options...), remote.Limits{})
	p.receiver = nodeOn(t, "receiver", s.Conn(t), remote.Limits{})
	process, err := mailbox.Spawn(p.receiver.sys, "sink", func(_ context.Context, message any) error {
		switch m := message.(type) {
		case order:
			p.handled.hear(report{What: "handled", Seq: m.Seq})
		case ask:
			m.reply.Answer(1)
		}
		return nil
	})
	require.NoError(t, err)
	_, err = remote.Serve(p.receiver.Node, "sink", process, orders)
	require.NoError(t, err)
	require.NoError(t, p.receiver.Conn().Flush())
	p.to, err = remote.NewRef(p.sender.Node, "sink", "sink", orders)
	require.NoError(t, err)
	return p
}

func (p *pair) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		p.seq++
		require.NoError(t, p.to.Send(t.Context(), order{Seq: p.seq}))
	}
}

func (p *pair) call(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := mailbox.Call(ctx, p.to, func(r mailbox.Reply[int64]) any { return ask{r} })
	return err
}

// What must hold when the link between two nodes is cut and healed: calls end in time, with an
// error. What is sent meanwhile waits in the sender, and arrives after the link is healed, once
// and in order, without a person. No call stays behind.
func TestLinkIsCut(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for range long(t, 3, 50) {
		p.send(t, 100)
		require.Eventually(t, func() bool { return p.handled.last("/") == p.seq }, patience, poll)
		require.NoError(t, p.call(t.Context(), patience))

		p.link.Cut()
		require.Eventually(t, func() bool { return !p.sender.Conn().IsConnected() }, patience, poll)
		p.send(t, 1000)
		begin := time.Now()
		require.ErrorIs(t, p.call(t.Context(), 100*time.Millisecond), context.DeadlineExceeded)
		assert.Less(t, time.Since(begin), patience/2)

		p.link.Heal()
		require.Eventually(t, func() bool { return p.handled.last("/") == p.seq }, patience, poll)
		require.NoError(t, p.call(t.Context(), patience))
	}
	seqs := p.handled.of("/")
	increasing(t, "sink", seqs)
	assert.Empty(t, gaps(seqs, p.seq, 1))
	stats := p.sender.Stats()
	assert.Zero(t, stats.NotSent.Total())
	assert.Zero(t, stats.Calls.Pending)
}

// What must hold when a link stays cut for so long that the sender can keep no more: memory
// stays within the buffer of the connection. Each message is handled or counted as not sent.
func TestLinkStaysCut(t *testing.T) {
	const buffer, size = 1 << 20, 4 << 10
	p := newPair(t, nats.ReconnectBufSize(buffer))
	p.send(t, 10)
	require.Eventually(t, func() bool { return p.handled.last("/") == p.seq }, patience, poll)
	p.link.Cut()
	require.Eventually(t, func() bool { return !p.sender.Conn().IsConnected() }, patience, poll)
	text := strings.Repeat("x", size)
	before := memory()
	for range 10 * buffer / size {
		p.seq++
		require.NoError(t, p.to.Send(t.Context(), order{Seq: p.seq, Text: text}))
	}
	require.Eventually(t, func() bool {
		stats := p.sender.Stats()
		return stats.Sent+stats.NotSent.Connection == uint64(p.seq)
	}, patience, poll)
	assert.Eventually(t, func() bool { return memory() < before+4*buffer }, patience, poll) // Pools take more than one collection.
	assert.Positive(t, p.sender.Stats().NotSent.Connection)
	p.link.Heal()
	require.Eventually(t, p.sender.Conn().IsConnected, patience, poll)
	p.send(t, 1)
	require.Eventually(t, func() bool { return p.handled.last("/") == p.seq }, patience, poll, "it goes on")
	seqs := p.handled.of("/")
	increasing(t, "sink", seqs)
	assert.Len(t, seqs, int(p.sender.Stats().Sent))
	assert.Len(t, gaps(seqs, p.seq, 1), int(p.sender.Stats().NotSent.Connection))
}

// What must hold when a link passes nothing on, but is not broken: neither end knows. Calls end
// in time. What was sent arrives when the link is healed, once and in order. Answers that come
// too late are counted.
func TestLinkHangs(t *testing.T) {
	p := newPair(t)
	p.send(t, 100)
	require.NoError(t, p.call(t.Context(), patience))
	p.link.Hang()
	p.send(t, 1000)
	// Else a call could wait behind them until it has no time left, and would not be sent.
	sent := uint64(p.seq) + 1 // With the call.
	require.Eventually(t, func() bool { return p.sender.Stats().Sent == sent }, patience, poll)
	const calls = 3
	for range calls {
		require.ErrorIs(t, p.call(t.Context(), 200*time.Millisecond), context.DeadlineExceeded)
	}
	assert.True(t, p.sender.Conn().IsConnected())
	p.link.Heal()
	require.Eventually(t, func() bool { return p.handled.last("/") == p.seq }, patience, poll)
	require.NoError(t, p.call(t.Context(), patience))
	require.Eventually(t, func() bool { return p.sender.Stats().Calls.Late == calls }, patience, poll)
	seqs := p.handled.of("/")
	increasing(t, "sink", seqs)
	assert.Empty(t, gaps(seqs, p.seq, 1))
	assert.Zero(t, p.sender.Stats().Calls.Pending)
}
