// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// A process whose claim is on its way when its node begins to leave is handed over as well: it
// handles what it has accepted, saves its state and ends.
func TestClaimWhileTheNodeLeaves(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	claimed, answered := make(chan struct{}), make(chan struct{})
	c.wrap = func(js jetstream.JetStream) jetstream.JetStream {
		return &disturbed{JetStream: js, create: func(_ context.Context, key string) error {
			if key == "counter.new" {
				close(claimed)
				<-answered
			}
			return nil
		}}
	}
	leaving := c.newMachine(t, c.server.Conn(t), nil)
	c.wrap = nil
	busy := get(t, leaving, "busy")
	require.NoError(t, busy.Send(t.Context(), work{"x"}))
	await(t, leaving.begun)
	got := make(chan mailbox.Ref[counterMsg], 1)
	go func() {
		ref, err := leaving.kind.GetOrSpawn(context.Background(), "new")
		assert.NoError(t, err)
		got <- ref
	}()
	await(t, claimed)
	closed := make(chan error, 1)
	go func() { closed <- leaving.kind.Close(context.Background()) }()
	// Then the node has looked for what is to be handed over.
	require.Eventually(t, func() bool { return busy.Send(t.Context(), add{0}) != nil }, patience, often)

	close(answered)
	ref := await(t, got)
	require.NoError(t, ref.Send(t.Context(), add{5}))
	close(leaving.block)
	require.NoError(t, await(t, closed))
	await(t, ref.Done())
	next := c.newMachine(t, c.server.Conn(t), nil)
	assert.Equal(t, 5, ask(t, next, "new").N, "its state was saved")
}

// farAway makes a node that leaves, the one that is next, and one whose link can be disturbed,
// with a process that is on the first of them.
func farAway(t *testing.T, lease time.Duration) (leaving, next, far *machine, link *natstest.Link, id string) {
	c := newCluster(t)
	leased := func(config *placement.Config[counterMsg]) {
		brief(config)
		config.Lease = lease
	}
	leaving, next = c.newMachine(t, c.server.Conn(t), leased), c.newMachine(t, c.server.Conn(t), leased)
	link = natstest.NewLink(t, c.server.Addr())
	far = c.newMachine(t, link.Conn(t), leased)
	for _, m := range []*machine{leaving, next, far} {
		require.Eventually(t, func() bool { return m.kind.Stats().Nodes == 3 }, patience, often)
	}
	id = idsOn(t, leaving, next, 1)[0]
	require.Equal(t, leaving.name, ask(t, far, id).Node)
	return leaving, next, far, link, id
}

// A node that leaves hands on what another one has sent before it has heard of that, also if that
// takes long, and the other one has sent nothing meanwhile.
func TestLeaveWaitsUntilOthersKnow(t *testing.T) {
	t.Parallel()
	leaving, next, far, link, id := farAway(t, 6*lease)
	ref := get(t, far, id)
	link.Hang()
	closed := make(chan error, 1)
	go func() { closed <- leaving.kind.Close(context.Background()) }()
	require.Eventually(t, func() bool { return next.kind.Stats().Nodes == 2 }, patience, often, "it has left")
	select {
	case err := <-closed:
		require.FailNow(t, "it no longer hands on what one may send that does not know", "%v", err)
	case <-time.After(lease / 2): // The time of a node that all others know of.
	}
	sent := far.node.Stats().Sent
	require.NoError(t, ref.Send(t.Context(), add{10}))
	require.Eventually(t, func() bool { return far.node.Stats().Sent > sent }, patience, often)
	link.Heal()
	require.NoError(t, await(t, closed))
	require.Eventually(t, func() bool { return ask(t, next, id).N == 11 }, patience, often)
	assert.Zero(t, leaving.kind.Stats().Lost)
	assert.Positive(t, leaving.kind.Stats().Forwarded)
}

// Nothing is lost of what comes all the time over a slow link.
func TestLeaveWithASlowLink(t *testing.T) {
	t.Parallel()
	leaving, next, far, link, id := farAway(t, 2*lease)
	ref := get(t, far, id)
	link.Delay(400 * time.Millisecond) // One way.
	closed := make(chan error, 1)
	go func() { closed <- leaving.kind.Close(context.Background()) }()
	sent, pace := 0, time.NewTicker(5*time.Millisecond)
	defer pace.Stop()
	for left := false; !left; {
		select {
		case err := <-closed:
			require.NoError(t, err)
			left = true
		case <-pace.C:
			require.NoError(t, ref.Send(t.Context(), add{1}))
			sent++
		}
	}
	link.Heal()
	handled := func() int { // The mailbox may be full under load, wherever it is. That is counted.
		return ask(t, next, id).N - 1 + int(next.node.Stats().Refused.Full+far.node.Stats().Refused.Full)
	}
	require.Eventually(t, func() bool { return handled() >= sent }, patience, often)
	assert.Equal(t, sent, handled())
}

// A node does not wait for another one that was lost for longer than a lease.
func TestLeaveWhenAnotherIsLost(t *testing.T) {
	t.Parallel()
	leaving, next, _, link, id := farAway(t, lease)
	link.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, leaving.kind.Close(ctx))
	assert.Equal(t, 1, ask(t, next, id).N)
}

// While what has waited for a process is handed on over a link that hangs, nothing else waits for
// that: neither who asks for figures, nor the one who finds that the lease is over.
func TestHandingOnHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	link := natstest.NewLink(t, c.server.Addr())
	m := c.newMachine(t, link.Conn(t), brief)
	ask(t, m, "1")
	ask(t, m, "2")
	other := get(t, m, "2")
	movedTo := placement.Held(m.kind, "1", make([]byte, 512<<10), 100)
	link.Hang()
	handedOn := make(chan struct{})
	go func() {
		movedTo("elsewhere")
		close(handedOn)
	}()
	// A write to the link fails after a minute, and so does a renewal. The other process finds out before.
	assert.Eventually(t, func() bool {
		_ = other.Send(t.Context(), add{1}) // It may be killed.
		return m.kind.Stats().Killed == 2
	}, patience/2, often)
	select {
	case <-handedOn:
		assert.Fail(t, "the link has taken everything")
	default:
	}
	link.Heal()
	await(t, handedOn)
}
