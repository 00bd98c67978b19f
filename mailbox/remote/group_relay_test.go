// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// gate is a span processor that keeps the first relay from going on.
type gate struct {
	sdktrace.SpanProcessor

	closed        atomic.Bool
	entered, open chan struct{}
}

func (g *gate) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	if span.Name() == relaySpan && g.closed.CompareAndSwap(false, true) {
		close(g.entered)
		<-g.open
	}
}

// While the relay of a node has as many broadcasts before it as it has room for, those from
// that node wait, until their context ends. The relays of other nodes hold nobody up.
func TestBroadcastWaitsForItsRelay(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	g := &gate{SpanProcessor: newRecorder(t), entered: make(chan struct{}), open: make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g))
	m := newMachineOf(t, server.Conn(t), []mailbox.SystemOption{mailbox.WithTracerProvider(provider)}, remote.WithTracerProvider(provider))
	c := &cluster{}
	c.add(t, m, 3, remote.WithRelayCapacity(1), flat(t, 1))
	c.add(t, newMachine(t, server), 2)
	c.settle(t)
	ctx, root := provider.Tracer("test").Start(t.Context(), "publish")
	defer root.End()
	require.NoError(t, c.groups[0].Broadcast(ctx, "in its hands").Err)
	await(t, g.entered)
	require.NoError(t, c.groups[0].Broadcast(ctx, "waits for it").Err)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	d := c.groups[0].Broadcast(short, "has no room")
	require.ErrorIs(t, d.Err, context.DeadlineExceeded)
	assert.Equal(t, []int{5, 2, 3}, []int{d.Size, d.Delivered, d.Refused})
	require.NoError(t, c.groups[1].Broadcast(t.Context(), "from elsewhere").Err)
	close(g.open)
	eventually(t, func() bool { return c.handled.Load() == 5+5+2+5 })
}

// To close a group waits for its relay, and no longer than its context.
func TestCloseGivesUpItsRelay(t *testing.T) {
	g := &gate{SpanProcessor: newRecorder(t), entered: make(chan struct{}), open: make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g))
	m := newMachineOf(t, natstest.Start(t, natstest.Options{}).Conn(t),
		[]mailbox.SystemOption{mailbox.WithTracerProvider(provider)}, remote.WithTracerProvider(provider))
	c := &cluster{}
	c.add(t, m, 3, flat(t, 1))
	ctx, root := provider.Tracer("test").Start(t.Context(), "publish")
	defer root.End()
	for range 3 {
		require.NoError(t, c.groups[0].Broadcast(ctx, "hello").Err)
	}
	await(t, g.entered)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.groups[0].Close(short), context.DeadlineExceeded)
	require.NoError(t, c.groups[0].Close(t.Context()), "it is closed")
	require.ErrorIs(t, c.groups[0].Broadcast(ctx, "hello").Err, mailbox.ErrStopped)
	close(g.open)
	eventually(t, func() bool { return m.sys.KindStats()["sessions relay"].DeadLetters.Total() == 2 })
}

// What piles up before a relay that does not go on is bounded, and what is lost for that is
// counted: every broadcast that was sent was relayed or dropped.
func TestBroadcastsThatPileUp(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	r := newRecorder(t)
	g := &gate{SpanProcessor: r, entered: make(chan struct{}), open: make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g))
	slow := newMachineOf(t, server.Conn(t), []mailbox.SystemOption{mailbox.WithTracerProvider(provider)},
		remote.WithLimits(remote.Limits{MaxPending: 10}))
	c := &cluster{}
	c.add(t, r.machine(t, server, "fast"), 0, flat(t, 1))
	c.add(t, slow, 1, flat(t, 1), remote.WithRelayCapacity(1))
	c.settle(t)
	r.broadcast(c.groups[0], "in its hands")
	await(t, g.entered)
	const more = 100
	for range more {
		require.NoError(t, c.groups[0].Broadcast(t.Context(), "hello").Err)
	}
	require.NoError(t, c.machines[0].conn.Flush())
	require.NoError(t, slow.conn.Flush())
	eventually(t, func() bool { return slow.node.Stats().Dropped > 0 })
	assert.LessOrEqual(t, c.handled.Load(), int64(1))
	close(g.open)
	eventually(t, func() bool {
		relayed := c.groups[1].Stats().Relayed
		return relayed+slow.node.Stats().Dropped == 1+more && c.handled.Load() == int64(relayed)
	})
	assert.LessOrEqual(t, c.handled.Load(), int64(1+1+1+10+1), "handled, in the mailbox, in the hands of the client, and pending")
}

// Nodes that a broadcast cannot be sent to are refused, with a late span in its trace, and the
// members here are reached all the same.
func TestBroadcastOverAClosedConnection(t *testing.T) {
	r := newRecorder(t)
	c := newTracedCluster(t, r, []int{3, 4}, []remote.GroupOption{flat(t, 1)})
	c.machines[0].conn.Close()
	id, d := r.broadcast(c.groups[0], "hello") // The other node is known for a while.
	require.ErrorIs(t, d.Err, mailbox.ErrStopped)
	require.ErrorIs(t, d.Err, nats.ErrConnectionClosed)
	d.Err = nil
	assert.Equal(t, remote.Delivery{Nodes: 2, Size: 7, Delivered: 3, Refused: 4, Sampled: 2}, d)
	eventually(t, func() bool { n, _ := r.weights(id); return n == 3 })
	late := r.of(id, "deliver sessions nodes")
	require.Len(t, late, 1)
	assert.Equal(t, "refused_connection", value(late[0], keys.LateReason).AsString())
	assert.EqualValues(t, 1, value(r.of(id, nodesSpan)[0], keys.FanoutRefused).AsInt64())
	assert.Equal(t, []uint64{3, 4}, []uint64{c.groups[0].Stats().Delivered, c.groups[0].Stats().Refused})
}

// Whatever strangers announce, the broadcast reaches the members, and samples on no node more
// than that would by itself.
func TestHostileAnnouncementsChangeNothing(t *testing.T) {
	t.Parallel() // It waits for nodes to be silent for long enough.
	r := newRecorder(t)
	c := newTracedCluster(t, r, []int{100, 100}, []remote.GroupOption{flat(t, 0.1)})
	conn := c.machines[0].conn
	announce := func(node string, members any) {
		require.NoError(t, conn.Publish("waybill.group.sessions",
			fmt.Appendf(nil, `{"node":%q,"session":%d,"number":1,"members":%v}`, node, uint64(math.MaxUint64), members)))
	}
	begun := time.Now()
	for i := range 3000 {
		announce(fmt.Sprint("fake", i), fanout.MaxSize)
		announce("n1", -1)
		announce("a.b", 1)
	}
	announce("n1", fanout.MaxSize)
	require.NoError(t, conn.Flush())
	g := c.groups[0]
	eventually(t, func() bool { return g.Stats().Malformed == 6000 && g.Size() > 1000*fanout.MaxSize })
	s := g.Stats()
	assert.Equal(t, 1025, s.Nodes)
	assert.EqualValues(t, 3000-1023, s.Beyond)
	for i := range 20 {
		before := c.handled.Load()
		id, d := r.broadcast(g, "hello")
		require.NoError(t, d.Err)
		if i > 0 && d.Nodes < 1025 { // On a slow machine the strangers are gone by now, and n1 until it speaks again.
			require.GreaterOrEqual(t, time.Since(begun), members.Silence)
			break
		}
		eventually(t, func() bool { return c.handled.Load() == before+200 })
		spans, _ := r.weights(id)
		require.LessOrEqual(t, spans, 2*11)
	}
	// When the strangers have gone, the group is as it was.
	c.settle(t)
	assert.GreaterOrEqual(t, g.Stats().Silent, uint64(1023))
}
