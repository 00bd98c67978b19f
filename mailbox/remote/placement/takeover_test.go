// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// pass waits until a part of a lease has passed since then, by the clock of brief.
func pass(t *testing.T, since time.Time, d time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return steady.now().Sub(since) > d }, patience, often)
}

// Two of three nodes are lost, one half a lease after the other. All that they had comes to the
// third, also what the second would have taken over from the first.
func TestTwoLostNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.machines(t, 3, brief)
	const ids = 40
	for i := range ids {
		get(t, nodes[2], fmt.Sprint(i))
	}
	cut := steady.now()
	nodes[0].conn.Close()
	pass(t, cut, lease/2)
	nodes[1].conn.Close()
	require.Eventually(t, func() bool { return nodes[2].kind.Stats().Placed == ids }, patience, often)
}

// A node is lost, and another one loses its lease before it can take its part over, as on a
// busy machine. When it is back, each process has an owner, and nobody has asked.
func TestLostNodeAndLostLease(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	link := natstest.NewLink(t, c.server.Addr())
	lost := c.newMachine(t, c.server.Conn(t), brief)
	slow := c.newMachine(t, link.Conn(t), brief)
	other := c.newMachine(t, c.server.Conn(t), brief)
	for _, m := range []*machine{slow, other} {
		require.Eventually(t, func() bool { return m.kind.Stats().Nodes == 3 }, patience, often)
	}
	const ids = 40
	for i := range ids {
		get(t, other, fmt.Sprint(i))
	}
	cut := steady.now()
	lost.conn.Close()
	pass(t, cut, lease/3)
	link.Hang()
	require.Eventually(t, func() bool { return slow.kind.Stats().Fenced == 1 }, patience, often)
	link.Heal()
	require.Eventually(t, func() bool {
		return slow.kind.Stats().Placed+other.kind.Stats().Placed == ids
	}, patience, often)
}

// orphans returns a cluster in which the process 1, and perhaps others, have no owner: their node
// was lost, and the only other one had no room. That was so long ago that the server has removed
// the marker that the session of the lost node is gone, which it does after an hour.
func orphans(t *testing.T) (c *cluster, full *machine, left uint64) {
	t.Helper()
	c = newCluster(t)
	lost := c.newMachine(t, c.server.Conn(t), brief)
	get(t, lost, "1")
	full = c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		brief(config)
		config.MaxPlaced = 1
	})
	for i := 2; full.kind.Stats().Placed == 0; i++ {
		get(t, full, fmt.Sprint(i))
	}
	left = lost.kind.Stats().Placed
	lost.conn.Close()
	require.Eventually(t, func() bool { return full.kind.Stats().Nodes == 1 }, patience, often)

	stream, err := full.js.Stream(t.Context(), "KV_waybill_sessions")
	require.NoError(t, err)
	forgotten, state := 0, stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		if msg, err := stream.GetMsg(t.Context(), seq); err == nil && msg.Header.Get("KV-Operation") == "PURGE" {
			require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject(msg.Subject)))
			forgotten++
		}
	}
	require.Equal(t, 1, forgotten)
	return c, full, left
}

// A node that began later does not ask an owner that nothing is known of for ever. It asks a
// node that is there, and hears that this one has no room.
func TestForgottenOwner(t *testing.T) {
	t.Parallel()
	c, _, _ := orphans(t)
	client := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		brief(config)
		config.Factory = nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := client.kind.GetOrSpawn(ctx, "1")
	require.ErrorIs(t, err, mailbox.ErrFull)
}

// A node with room that comes takes over what was left, without being asked for it.
func TestNewNodeTakesOver(t *testing.T) {
	t.Parallel()
	c, full, left := orphans(t)
	require.NoError(t, full.kind.Close(t.Context()))
	next := c.newMachine(t, c.server.Conn(t), brief)
	require.Eventually(t, func() bool { return next.kind.Stats().Placed == left }, patience, often)
	assert.Equal(t, next.name, ask(t, next, "1").Node)
	assert.Equal(t, left, next.kind.Stats().Placed, "it was there")
}
