// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/sampling"
)

// newGroup makes a group that ends with the test.
func newGroup(t testing.TB, m *machine, name string, opts ...remote.GroupOption) *remote.Group[string] {
	t.Helper()
	g, err := remote.NewGroup(m.node, name, text(), opts...)
	require.NoError(t, err)
	return g
}

// join has n processes with that handler join.
func join(t testing.TB, m *machine, g *remote.Group[string], n int, handler mailbox.Handler[string]) []mailbox.Ref[string] {
	t.Helper()
	kind, err := mailbox.NewKind[string](m.sys, "member", mailbox.WithCapacity(1024))
	require.NoError(t, err)
	refs := make([]mailbox.Ref[string], n)
	for i := range refs {
		refs[i], err = kind.Spawn("", handler)
		require.NoError(t, err)
		require.NoError(t, g.Join(refs[i]))
	}
	return refs
}

// cluster is a group on several machines.
type cluster struct {
	machines []*machine
	groups   []*remote.Group[string]
	size     int
	handled  atomic.Int64
}

// newCluster makes a machine with a group for each size, and waits until all know each other.
func newCluster(t testing.TB, server *natstest.Server, sizes ...int) *cluster {
	t.Helper()
	c := &cluster{}
	for i, size := range sizes {
		c.add(t, newMachine(t, server, remote.WithID(fmt.Sprint("n", i))), size)
	}
	c.settle(t)
	return c
}

func (c *cluster) add(t testing.TB, m *machine, size int, opts ...remote.GroupOption) {
	t.Helper()
	g := newGroup(t, m, "sessions", opts...)
	join(t, m, g, size, func(context.Context, string) error {
		c.handled.Add(1)
		return nil
	})
	c.machines, c.groups = append(c.machines, m), append(c.groups, g)
	c.size += size
}

// settle waits until all nodes know of all members.
func (c *cluster) settle(t testing.TB) {
	t.Helper()
	for _, g := range c.groups {
		eventually(t, func() bool { return g.Size() == c.size && g.Nodes() == len(c.groups) })
	}
}

func TestBroadcastReachesAllNodes(t *testing.T) {
	c := newCluster(t, natstest.Start(t, natstest.Options{}), 3, 0, 5)
	for i, g := range c.groups {
		d := g.Broadcast(t.Context(), "hello")
		assert.Equal(t, remote.Delivery{Nodes: 2, Size: 8, Delivered: 8}, d)
		eventually(t, func() bool { return c.handled.Load() == int64(8*(i+1)) })
	}
	assert.Equal(t, []int{3, 0, 5}, []int{c.groups[0].Len(), c.groups[1].Len(), c.groups[2].Len()})
	for i, g := range c.groups {
		want := remote.GroupStats{
			Nodes: 3, Members: g.Len(), Everywhere: 8, Broadcasts: 1, Delivered: 8, Relayed: 3, RelayedTo: uint64(3 * g.Len()),
		}
		if g.Len() == 0 {
			want.Relayed = 0
		}
		assert.Equal(t, want, g.Stats(), "%d", i)
	}
}

// A message without a trace travels as the codec writes it: no header at all, and once for
// each node with members, however many members that has.
func TestUntracedBroadcastHasNoHeader(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	c := newCluster(t, server, 3, 100, 0, 50)
	seen := make(chan *nats.Msg, 100)
	conn := server.Conn(t)
	_, err := conn.ChanSubscribe("waybill.group.sessions.*", seen)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	for range 3 {
		c.groups[0].Broadcast(t.Context(), "hello")
	}
	eventually(t, func() bool { return c.handled.Load() == 3*153 })
	require.NoError(t, c.machines[0].conn.Flush())
	require.NoError(t, conn.Flush())
	got := map[string]int{}
	for range 6 {
		m := await(t, seen)
		assert.Empty(t, m.Header)
		assert.Equal(t, "hello", string(m.Data))
		got[m.Subject]++
	}
	assert.Equal(t, map[string]int{"waybill.group.sessions.n1": 3, "waybill.group.sessions.n3": 3}, got)
	assert.Empty(t, seen)
}

// countingCodec counts how often something is written and read.
type countingCodec struct{ written, read atomic.Int64 }

func (c *countingCodec) Append(b []byte, message string) ([]byte, error) {
	c.written.Add(1)
	return append(b, message...), nil
}

func (c *countingCodec) Decode(data []byte) (string, error) {
	c.read.Add(1)
	return string(data), nil
}

// A broadcast is written once, however many nodes there are, and not at all if there are no
// others. Each of the others reads it once, however many members it has.
func TestBroadcastIsWrittenOnce(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	codec := &countingCodec{}
	var handled atomic.Int64
	var groups []*remote.Group[string]
	for i, size := range []int{10, 20, 30, 40} {
		m := newMachine(t, server)
		g, err := remote.NewGroup(m.node, "sessions", remote.Protocol[string]{Codec: codec})
		require.NoError(t, err)
		join(t, m, g, size, func(context.Context, string) error {
			handled.Add(1)
			return nil
		})
		groups = append(groups, g)
		if i == 0 {
			require.NoError(t, g.Broadcast(t.Context(), "hello").Err)
			assert.Zero(t, codec.written.Load())
		}
	}
	eventually(t, func() bool { return groups[3].Size() == 100 })
	require.NoError(t, groups[3].Broadcast(t.Context(), "hello").Err)
	eventually(t, func() bool { return handled.Load() == 110 })
	assert.EqualValues(t, 1, codec.written.Load())
	assert.EqualValues(t, 3, codec.read.Load())
}

// Each member gets the broadcasts of one sender in their order, on this node and on others.
func TestOrderOfBroadcasts(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	const members, senders, broadcasts = 20, 3, 200
	var handled atomic.Int64
	var disorder atomic.Int64
	groups := make([]*remote.Group[string], senders)
	for i := range groups {
		m := newMachine(t, server, remote.WithID(fmt.Sprint("n", i)))
		groups[i] = newGroup(t, m, "sessions")
		for range members {
			last := make([]int, senders) // Only the member's own handler uses it.
			join(t, m, groups[i], 1, func(_ context.Context, text string) error {
				var sender, number int
				if _, err := fmt.Sscan(text, &sender, &number); err != nil || number != last[sender]+1 {
					disorder.Add(1)
				}
				last[sender] = number
				handled.Add(1)
				return nil
			})
		}
	}
	for _, g := range groups {
		eventually(t, func() bool { return g.Size() == senders*members })
	}
	errs := make(chan error, senders)
	for i, g := range groups {
		go func() {
			var err error
			for n := range broadcasts {
				if d := g.Broadcast(context.Background(), fmt.Sprint(i, " ", n+1)); d.Err != nil {
					err = d.Err
				}
			}
			errs <- err
		}()
	}
	for range groups {
		require.NoError(t, await(t, errs))
	}
	eventually(t, func() bool { return handled.Load() == senders*senders*members*broadcasts })
	assert.Zero(t, disorder.Load())
	for _, g := range groups {
		s := g.Stats()
		assert.Equal(t, []uint64{broadcasts, senders * members * broadcasts, 0}, []uint64{s.Broadcasts, s.Delivered, s.Refused})
		assert.Equal(t, []uint64{senders * broadcasts, senders * members * broadcasts, 0}, []uint64{s.Relayed, s.RelayedTo, s.RelayedFailed})
	}
}

// Members come and go, also those that end by themselves, and all nodes learn of it.
func TestMembersComeAndGo(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	c := newCluster(t, server, 2, 2)
	refs := join(t, c.machines[1], c.groups[1], 3, func(context.Context, string) error { return nil })
	eventually(t, func() bool { return c.groups[0].Size() == 7 })
	assert.True(t, c.groups[1].Leave(refs[0]))
	assert.False(t, c.groups[1].Leave(refs[0]))
	eventually(t, func() bool { return c.groups[0].Size() == 6 })
	require.NoError(t, refs[1].Stop(t.Context()))
	refs[2].Kill()
	eventually(t, func() bool { return c.groups[0].Size() == 4 })
	require.ErrorIs(t, c.groups[1].Join(refs[1]), mailbox.ErrStopped)

	// Who comes late learns of all others at once.
	late := newGroup(t, newMachine(t, server), "sessions")
	eventually(t, func() bool { return late.Size() == 4 && late.Nodes() == 3 })
}

// A node that closes its group is forgotten at once, one that dies within 3 s.
func TestNodesComeAndGo(t *testing.T) {
	t.Parallel() // It waits for nodes to be silent for long enough.
	server := natstest.Start(t, natstest.Options{})
	c := newCluster(t, server, 2, 3, 4)
	require.NoError(t, c.groups[1].Close(t.Context()))
	require.NoError(t, c.groups[1].Close(t.Context()), "again")
	eventually(t, func() bool { return c.groups[0].Size() == 6 && c.groups[2].Size() == 6 })
	d := c.groups[1].Broadcast(t.Context(), "too late")
	require.ErrorIs(t, d.Err, mailbox.ErrStopped)
	assert.Equal(t, d.Size, d.Refused)
	require.ErrorIs(t, c.groups[1].Join(spawn(t, c.machines[1], func(context.Context, string) error { return nil })), mailbox.ErrStopped)
	assert.EqualValues(t, 1, c.groups[0].Stats().Left)
	again := newGroup(t, c.machines[1], "sessions")
	eventually(t, func() bool { return again.Size() == 6 })

	begin := time.Now()
	c.machines[2].conn.Close()
	eventually(t, func() bool { return c.groups[0].Size() == 2 })
	// What the state machine promises is tested without a clock; this is with all of a machine
	// that may be busy.
	t.Logf("a dead node was forgotten after %v", time.Since(begin).Round(time.Millisecond))
	assert.EqualValues(t, 1, c.groups[0].Stats().Silent)
	require.NoError(t, c.machines[0].node.Close(t.Context()), "which closes its group")
	require.ErrorIs(t, c.groups[0].Broadcast(t.Context(), "x").Err, mailbox.ErrStopped)
	eventually(t, func() bool { return again.Size() == 0 && again.Nodes() == 1 })
}

// What was on its way when a group is closed is still handled.
func TestClosingAGroupHandlesWhatHasArrived(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	c := newCluster(t, server, 0, 10)
	const broadcasts = 500
	for range broadcasts {
		require.NoError(t, c.groups[0].Broadcast(t.Context(), "hello").Err)
	}
	require.NoError(t, c.machines[0].conn.Flush())
	require.NoError(t, c.machines[1].conn.Flush())
	require.NoError(t, c.groups[1].Close(t.Context()))
	eventually(t, func() bool { return c.handled.Load() == 10*broadcasts })
}

// A connection that was lost for a moment loses no members once it is back.
func TestConnectionLost(t *testing.T) {
	t.Parallel() // It waits for nodes to be silent for long enough.
	server := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, server.Addr())
	c := newCluster(t, server, 3)
	c.add(t, newMachineOf(t, link.Conn(t), nil, remote.WithID("far")), 4)
	c.settle(t)
	link.Cut()
	eventually(t, func() bool { return c.groups[0].Size() == 3 && c.groups[1].Size() == 4 })
	link.Heal()
	c.settle(t)
	require.NoError(t, c.groups[0].Broadcast(t.Context(), "hello").Err)
	eventually(t, func() bool { return c.handled.Load() == 7 })
}

// So it is if the server was gone, or if the link hangs, which neither end notices.
func TestGroupOutlivesItsServer(t *testing.T) {
	t.Parallel() // It waits for nodes to be silent for long enough.
	server := natstest.Start(t, natstest.Options{})
	link := natstest.NewLink(t, server.Addr())
	c := newCluster(t, server, 3)
	c.add(t, newMachineOf(t, link.Conn(t), nil, remote.WithID("far")), 4)
	c.settle(t)
	server.Restart(t)
	c.settle(t)
	link.Hang()
	eventually(t, func() bool { return c.groups[0].Size() == 3 && c.groups[1].Size() == 4 })
	require.NoError(t, c.groups[0].Broadcast(t.Context(), "only here").Err)
	link.Heal()
	c.settle(t)
	require.NoError(t, c.groups[1].Broadcast(t.Context(), "everywhere").Err)
	eventually(t, func() bool { return c.handled.Load() == 3+7 })
}

func TestMessagesThatCannotBeWritten(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	limits := remote.WithLimits(remote.Limits{MaxMessage: 100})
	here, there := newMachine(t, server, limits), newMachine(t, server, limits)
	g, err := remote.NewGroup(here.node, "orders", orders())
	require.NoError(t, err)
	other, err := remote.NewGroup(there.node, "orders", orders())
	require.NoError(t, err)
	handled := make(chan orderMsg, 10)
	for _, m := range []struct {
		at *machine
		in *remote.Group[orderMsg]
	}{{here, g}, {there, other}} {
		ref, err := mailbox.Spawn(m.at.sys, "order", func(_ context.Context, o orderMsg) error {
			handled <- o
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, m.in.Join(ref))
	}
	eventually(t, func() bool { return g.Size() == 2 })

	d := g.Broadcast(t.Context(), nil)
	require.ErrorIs(t, d.Err, remote.ErrCodec)
	assert.Equal(t, []int{1, 1}, []int{d.Delivered, d.Refused}, "here it need not be written")
	assert.Nil(t, await(t, handled))
	d = g.Broadcast(t.Context(), placeOrder{strings.Repeat("x", 100)})
	require.ErrorIs(t, d.Err, remote.ErrOversized)
	assert.Equal(t, []int{1, 1}, []int{d.Delivered, d.Refused})
	await(t, handled)
	d = g.Broadcast(t.Context(), countItems{})
	require.ErrorIs(t, d.Err, remote.ErrUndeclared)
	assert.Equal(t, []int{0, 2}, []int{d.Delivered, d.Refused}, "nobody can answer it")
	assert.Equal(t, remote.NotSent{Codec: 1, Oversized: 1}, here.node.Stats().NotSent)
	assert.EqualValues(t, 4, g.Stats().Refused)
	assert.EqualValues(t, 2, g.Stats().Delivered)
}

func TestNewGroupRefusesNonsense(t *testing.T) {
	m := newMachine(t, natstest.Start(t, natstest.Options{}))
	_, err := remote.NewGroup(nil, "sessions", text())
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewGroup(m.node, "", text())
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewGroup(m.node, strings.Repeat(".", 300), text())
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewGroup(m.node, "sessions", text(), remote.WithRelayCapacity(0))
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewGroup(m.node, "sessions", text(), remote.WithGroupSampling(sampling.GroupConfig{SpansPerSecond: math.NaN()}))
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewGroup(m.node, "sessions", remote.Protocol[string]{Calls: []remote.CallType[string]{{}}})
	require.ErrorIs(t, err, mailbox.ErrConfig)
	first := newGroup(t, m, "sessions", nil)
	_, err = remote.NewGroup(m.node, "sessions", text())
	require.ErrorIs(t, err, mailbox.ErrConfig, "twice")
	newGroup(t, m, "a name: with.everything *>")
	require.NoError(t, first.Close(t.Context()))
	newGroup(t, m, "sessions")
	require.NoError(t, m.node.Close(t.Context()))
	_, err = remote.NewGroup(m.node, "more", text())
	require.ErrorIs(t, err, mailbox.ErrStopped)
	m.conn.Close()
	_, err = remote.NewGroup(newMachine(t, natstest.Start(t, natstest.Options{})).node, "fine", text())
	require.NoError(t, err)
}
