// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// idsOn returns IDs of processes that the machine owns, n of them, each with a sum of 1 that
// is saved.
func idsOn(t *testing.T, m, from *machine, n int) []string {
	t.Helper()
	var ids []string
	for i := 0; len(ids) < n; i++ {
		id := fmt.Sprint(i)
		if ask(t, from, id).Node != m.name {
			continue
		}
		ref := get(t, m, id)
		require.NoError(t, ref.Send(t.Context(), add{1}))
		require.NoError(t, await(t, ref.Passivate()))
		ids = append(ids, id)
	}
	return ids
}

// askAgain is ask of a process whose node may be lost: a call to that one fails.
func askAgain(t *testing.T, m *machine, id string) (s sum) {
	t.Helper()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var err error
		s, err = sumOf(ctx, get(t, m, id))
		return err == nil
	}, patience, often)
	return s
}

func await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// A node is lost. After a lease and a quarter, and a little more for those that must wait their
// turn, the survivors own its processes, without being asked for them, with the states that
// were saved last. Sends are lost meanwhile. Calls
// that reach nobody wait. Those that the lost node has not answered fail when that is known.
func TestLostNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.machines(t, 3, brief)
	lost, from := nodes[0], nodes[1]
	ids := idsOn(t, lost, from, 5)
	refs, local := make([]mailbox.Ref[counterMsg], len(ids)), make([]mailbox.Ref[counterMsg], len(ids))
	before := make([]sum, len(ids))
	for i, id := range ids {
		refs[i], local[i], before[i] = get(t, from, id), get(t, lost, id), ask(t, from, id)
		require.NoError(t, local[i].Send(t.Context(), add{100})) // Not saved.
	}
	placed := nodes[1].kind.Stats().Placed + nodes[2].kind.Stats().Placed
	cut := time.Now()
	lost.conn.Close()

	var calls sync.WaitGroup
	for _, ref := range refs {
		require.NoError(t, ref.Send(t.Context(), add{1000}), "nobody can know that it is lost")
		calls.Go(func() { // The server may not know it either.
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if after, err := sumOf(ctx, ref); err != nil {
				assert.ErrorIs(t, err, mailbox.ErrStopped)
			} else {
				assert.Equal(t, 1, after.N)
			}
		})
	}
	require.Eventually(t, func() bool { return c.server.Server().NumClients() == 2 }, patience, often)
	for i, ref := range refs {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			after, err := sumOf(ctx, ref)
			if assert.NoError(t, err) {
				assert.Equal(t, 1, after.N, "the state that was saved last")
				assert.NotEqual(t, lost.name, after.Node)
				assert.Greater(t, after.Token, before[i].Token)
			}
		})
	}
	require.Eventually(t, func() bool {
		return nodes[1].kind.Stats().Placed+nodes[2].kind.Stats().Placed >= placed+uint64(len(ids))
	}, patience, often)
	t.Logf("taken over after %v, with a lease of %v", time.Since(cut), lease)
	for _, ref := range local {
		_, err := sumOf(t.Context(), ref)
		require.ErrorIs(t, err, mailbox.ErrStopped, "not before the lease of the lost node is over")
	}
	calls.Wait()
	require.Eventually(t, func() bool { return lost.kind.Stats().Fenced == 1 && lost.kind.Stats().Placed == 0 }, patience, often,
		"the lost node knows it too")
	// An answer of the store may come too late: then nobody knows that it was this node.
	assert.LessOrEqual(t, nodes[1].kind.Stats().TakenOver+nodes[2].kind.Stats().TakenOver, uint64(len(ids)))
	assert.LessOrEqual(t, nodes[1].kind.Stats().Removed+nodes[2].kind.Stats().Removed, uint64(1))
}

// A node that loses its connection for longer than its lease kills its processes without
// saving them, and comes back by itself as a new one.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	link := natstest.NewLink(t, c.server.Addr())
	cutOff := c.newMachine(t, link.Conn(t), brief)
	other := c.newMachine(t, c.server.Conn(t), brief)
	id := idsOn(t, cutOff, other, 1)[0]
	local := get(t, cutOff, id)
	require.NoError(t, local.Send(t.Context(), add{100}))
	link.Hang()
	await(t, local.Done())
	require.ErrorIs(t, local.Err(), mailbox.ErrKilled)
	require.ErrorIs(t, local.Send(t.Context(), add{1}), mailbox.ErrStopped)

	after := askAgain(t, other, id)
	assert.Equal(t, 1, after.N)
	assert.Equal(t, other.name, after.Node)
	link.Heal()
	assert.Equal(t, after, ask(t, cutOff, id), "it finds the process where it is now")
	require.Eventually(t, func() bool { return other.kind.Stats().Nodes == 2 }, patience, often, "it is back")
	assert.EqualValues(t, 1, cutOff.kind.Stats().Fenced)
	assert.EqualValues(t, 1, cutOff.kind.Stats().Killed)
}

// A node leaves while others send and call. Every message is handled once, by the old owner or
// by the next one.
func TestGracefulLeave(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t).machines(t, 3, nil)
	leaving := nodes[0]
	ids := idsOn(t, leaving, nodes[1], 8)
	const each = 200
	var sending sync.WaitGroup
	started := make(chan struct{}, 2*len(ids))
	for _, id := range ids {
		for _, m := range nodes[1:] {
			ref := get(t, m, id)
			sending.Go(func() {
				for i := range each {
					if assert.NoError(t, ref.Send(context.Background(), add{1})) && i == each/4 {
						started <- struct{}{}
					}
					if i%10 == 0 {
						ctx, cancel := context.WithTimeout(context.Background(), patience)
						_, err := sumOf(ctx, ref)
						cancel()
						assert.NoError(t, err)
					}
				}
			})
		}
	}
	await(t, started)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	require.NoError(t, leaving.kind.Close(ctx))
	took := time.Since(begun)
	t.Logf("left in %v", took)
	assert.Less(t, took, patience/2, "it waits for a lease only if others do not say that they know")
	sending.Wait()
	for _, id := range ids {
		require.Eventually(t, func() bool { return ask(t, nodes[2], id).N >= 1+2*each }, patience, often, id)
		assert.Equal(t, 1+2*each, ask(t, nodes[1], id).N)
		total := 0
		for _, m := range nodes {
			m.mu.Lock()
			total += m.added[id]
			m.mu.Unlock()
		}
		assert.Equal(t, 1+2*each, total, "handled once")
	}
	s := leaving.kind.Stats()
	assert.EqualValues(t, len(ids), s.HandedOver)
	assert.Zero(t, s.Lost)
	assert.Zero(t, s.Placed)
	_, err := leaving.kind.GetOrSpawn(t.Context(), ids[0])
	require.ErrorIs(t, err, mailbox.ErrStopped)
	require.NoError(t, leaving.kind.Close(t.Context()), "again")
	assert.EqualValues(t, 0, nodes[1].kind.Stats().Removed+nodes[2].kind.Stats().Removed)
}

// The last node leaves: what is saved is there for the next one.
func TestLastNodeLeaves(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	last := c.newMachine(t, c.server.Conn(t), nil)
	require.NoError(t, get(t, last, "1").Send(t.Context(), add{5}))
	require.NoError(t, last.kind.Close(t.Context()))
	next := c.newMachine(t, c.server.Conn(t), nil)
	assert.Equal(t, 5, ask(t, next, "1").N)
}

// An owner stands still in the middle of a handling, past its lease, and another node takes
// over. When the first one goes on, what it does is refused: by a store of the user's that
// looks at tokens, and by the State. The messages that waited behind it are not handled.
func TestPausedOwnerCannotAct(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	link := natstest.NewLink(t, c.server.Addr())
	paused := c.newMachine(t, link.Conn(t), brief)
	other := c.newMachine(t, c.server.Conn(t), brief)
	id := idsOn(t, paused, other, 1)[0]
	local := get(t, paused, id)
	require.NoError(t, local.Send(t.Context(), work{"late"}))
	await(t, paused.begun)
	require.NoError(t, local.Send(t.Context(), add{100}))
	waiting := make(chan error, 1)
	go func() {
		_, err := sumOf(context.Background(), local)
		waiting <- err
	}()
	link.Hang() // Its renewals do not get through either.

	require.NoError(t, get(t, other, id).Send(t.Context(), work{"lost"}))
	_, err := sumOf(t.Context(), get(t, other, id))
	require.ErrorIs(t, err, mailbox.ErrStopped, "the call fails when its node is known to be lost")
	after := ask(t, other, id)
	assert.Equal(t, other.name, after.Node)
	close(other.block)
	require.NoError(t, get(t, other, id).Send(t.Context(), work{"in time"}))
	require.Eventually(t, func() bool { accepted, _ := c.acts.all(); return len(accepted) == 1 }, patience, often)

	link.Heal()
	close(paused.block)
	require.Error(t, await(t, waiting))
	await(t, local.Done())
	accepted, refused := c.acts.all()
	assert.Equal(t, []string{other.name + " in time"}, accepted)
	assert.Equal(t, []string{paused.name + " late"}, refused)
	paused.mu.Lock()
	assert.Equal(t, 1, paused.added[id], "what waited was not handled")
	paused.mu.Unlock()
	stats := paused.sys.Stats()
	assert.EqualValues(t, 2, stats.DeadLetters.Killed, "and is counted")
}

// The state of a process refuses what an earlier owner writes, even while that one believes
// that it may act.
func TestStateRefusesAnEarlierOwner(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	states, err := placement.NewState(t.Context(), m.js, placement.StateConfig{Bucket: "fenced", MaxBytes: 10})
	require.NoError(t, err)
	require.ErrorIs(t, states.Save(t.Context(), nil), placement.ErrNotPlaced)
	_, err = states.Load(t.Context())
	require.ErrorIs(t, err, placement.ErrNotPlaced)
	_, ok := placement.Token(t.Context())
	assert.False(t, ok)

	held := true
	before, killed := placement.Identity("counter", "1", 7, &held)
	after, _ := placement.Identity("counter", "1", 8, &held)
	got, err := states.Load(before)
	require.NoError(t, err)
	assert.Nil(t, got)
	require.NoError(t, states.Save(before, []byte("old")))
	require.ErrorIs(t, states.Save(before, []byte("larger than 10")), placement.ErrOversized)

	got, err = states.Load(after)
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
	require.ErrorIs(t, states.Save(before, []byte("late")), placement.ErrFenced, "though the later one has only read")
	assert.True(t, *killed)
	_, err = states.Load(before)
	require.ErrorIs(t, err, placement.ErrFenced)
	require.NoError(t, states.Save(after, []byte("new")))
	got, err = states.Load(after)
	require.NoError(t, err)
	assert.Equal(t, "new", string(got))

	held = false
	require.ErrorIs(t, states.Save(after, []byte("x")), placement.ErrMoved)
	held = true
	kv, err := m.js.KeyValue(t.Context(), "fenced")
	require.NoError(t, err)
	_, err = kv.PutString(t.Context(), "counter.1", "somebody else's")
	require.NoError(t, err)
	require.ErrorIs(t, states.Save(after, []byte("x")), placement.ErrForeign)
}

// The server restarts while nodes run. If that takes less than a lease, nothing is lost.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.machines(t, 2, nil)
	before := ask(t, nodes[0], "1")
	c.server.Restart(t)
	for _, m := range nodes {
		// Then the subscriptions are there again too.
		require.Eventually(t, func() bool { return m.conn.Status() == nats.CONNECTED && m.conn.Flush() == nil }, patience, often)
	}
	for _, m := range nodes {
		assert.Equal(t, before, ask(t, m, "1"))
	}
	for _, m := range nodes {
		assert.Zero(t, m.kind.Stats().Fenced)
	}
}

// A session that answers a claim with what could not be a session is not believed, because its
// answer would become part of subjects. Another one is asked.
func TestForeignAnswersToClaims(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	kv, err := m.js.KeyValue(t.Context(), "waybill_sessions")
	require.NoError(t, err)
	_, err = kv.PutString(t.Context(), "counter.stranger", `{"v":1,"node":"stranger","lease_ms":3600000}`)
	require.NoError(t, err)
	stranger := c.server.Conn(t)
	_, err = stranger.Subscribe("waybill.claim.counter.stranger", func(msg *nats.Msg) {
		assert.NoError(t, msg.Respond([]byte(`{"session":"a.*"}`)))
	})
	require.NoError(t, err)
	require.NoError(t, stranger.Flush())
	require.Eventually(t, func() bool { return m.kind.Stats().Nodes == 2 }, patience, often)
	for id := range 40 { // Half of them are the stranger's to own.
		_, err := m.kind.GetOrSpawn(t.Context(), strconv.Itoa(id))
		require.NoError(t, err, "another node is asked then")
	}
	assert.EqualValues(t, 40, m.kind.Stats().Placed)
	assert.Positive(t, m.kind.Stats().Foreign)
}

// Records that were not written by this package are left alone, and counted.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	for _, name := range []string{"waybill_sessions", "waybill_owners"} {
		kv, err := m.js.KeyValue(t.Context(), name)
		require.NoError(t, err)
		for key, value := range map[string]string{
			"counter.1": "not JSON", "counter.2": `{"v":99}`, "counter.a.b": "{}", "counter.3": `{"v":1,"id":"4","session":"x"}`,
			"counter.4": `{"v":1,"node":"x","lease_ms":-5,"id":"4","session":"a.*"}`, "counter.gone": `{"v":1,"gone":true}`,
		} {
			_, err = kv.PutString(t.Context(), key, value)
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool { return m.kind.Stats().Foreign >= 4 }, patience, often)
	assert.EqualValues(t, 1, m.kind.Stats().Nodes)
	for _, id := range []string{"1", "2", "3", "4"} {
		_, err := m.kind.GetOrSpawn(t.Context(), id)
		require.ErrorIs(t, err, placement.ErrForeign, id)
	}
	assert.Zero(t, ask(t, m, "5").N)
	require.NoError(t, m.conn.Publish("waybill.claim.counter.nobody", []byte("x")))
}

// An owner stands still past its lease, with its connection open, and goes on before anything
// of it has noticed, as after SIGSTOP. The first message that it is about to handle finds out.
// A call is not handled, and so is sent again, to the next owner.
func TestOwnerNoticesBeforeItHandles(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var jump atomic.Int64
	var fenced func() uint64
	stopped := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		brief(config)
		*config = placement.WithClock(*config, func() time.Time {
			// Only this clock jumps, so for the other node no time has passed in which to renew its
			// lease. Later that would make it a lost one.
			by := time.Duration(jump.Load())
			if by != 0 && fenced() > 0 {
				by = 0
			}
			return time.Now().Add(by)
		})
	})
	fenced = placement.Fenced(stopped.kind)
	other := c.newMachine(t, c.server.Conn(t), brief)
	id := idsOn(t, stopped, other, 1)[0]
	ref := get(t, other, id)
	before := ask(t, other, id)
	local := get(t, stopped, id)
	renewals := stopped.kind.Stats().Renewals
	require.Eventually(t, func() bool { return stopped.kind.Stats().Renewals > renewals }, patience, often)

	jump.Store(int64(10 * lease)) // Until the next renewal nothing but a message looks at the clock.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	after, err := sumOf(ctx, ref)
	require.NoError(t, err)
	assert.Greater(t, after.Token, before.Token)
	assert.Equal(t, 1, after.N)
	await(t, local.Done())
	assert.EqualValues(t, 1, stopped.kind.Stats().Declined)
	assert.EqualValues(t, 1, stopped.kind.Stats().Fenced)
	assert.EqualValues(t, 1, other.node.Stats().Calls.Redirected)
	_, err = sumOf(ctx, local)
	require.ErrorIs(t, err, mailbox.ErrStopped)
}

// The same for who calls on the node itself: the error says that the call was not handled.
func TestLocalCallIsNotHandled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var jump atomic.Int64
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		brief(config)
		*config = placement.WithClock(*config, func() time.Time { return time.Now().Add(time.Duration(jump.Load())) })
	})
	local := get(t, m, "1")
	ask(t, m, "1")
	jump.Store(int64(10 * lease))
	_, err := sumOf(t.Context(), local)
	require.ErrorIs(t, err, placement.ErrMoved)
	require.ErrorIs(t, err, mailbox.ErrStopped)
	await(t, local.Done())
	assert.Zero(t, ask(t, m, "1").N, "the node is back, and so is the process")
}
