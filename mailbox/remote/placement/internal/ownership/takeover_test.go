// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

var errNoRoom = errors.New("no room")

// heir is a node that takes over what it should.
type heir struct {
	*ownership.Member

	full  atomic.Bool  // It owns nothing more.
	looks atomic.Int64 // times that it has looked through the records
}

// counted counts how many times a store is watched.
type counted struct {
	bucket

	watches *atomic.Int64
}

func (c counted) Watch(ctx context.Context, keys string, yield func(ownership.Entry) bool) error {
	c.watches.Add(1)
	return c.bucket.Watch(ctx, keys, yield)
}

func newHeir(ctx context.Context, sessions, owners *store) *heir {
	h := &heir{}
	n := &network{random: rand.New(rand.NewPCG(1, 2)), delay: 10 * time.Millisecond}
	h.Member = ownership.NewMember(ownership.Config{
		Kind: "guild", Node: "node", Offers: true, Lease: modelLease, Now: n.now,
		Sessions: bucket{sessions, n}, Owners: counted{bucket{owners, n}, &h.looks},
		TakeOver: h.own,
	})
	h.Start(ctx)
	return h
}

// own has the node own a process.
func (h *heir) own(ctx context.Context, id string) error {
	s := h.Session()
	if s == nil || h.full.Load() {
		return errNoRoom
	}
	_, err := h.Claim(ctx, s, id)
	return err
}

// owns returns how many processes a node owns, as their records say.
func (h *heir) owns(t *testing.T) (n int) {
	t.Helper()
	session := h.Session()
	require.NotNil(t, session)
	require.NoError(t, h.Owned(t.Context(), func(_, owner string) bool {
		if owner == session.ID {
			n++
		}
		return true
	}))
	return n
}

// alone runs a test in simulated time, with two stores. All nodes end with it.
func alone(t *testing.T, test func(t *testing.T, begin func() *heir, sessions *store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		sessions, owners := newStore(), newStore()
		var all []*heir
		defer func() {
			cancel()
			for _, h := range all {
				h.Stop()
			}
			time.Sleep(modelLease) // What is on its way arrives.
		}()
		test(t, func() *heir {
			h := newHeir(ctx, sessions, owners)
			all = append(all, h)
			time.Sleep(modelLease / 4) // It has a session, and others know it.
			return h
		}, sessions)
	})
}

const someIDs = 40

func (h *heir) ownSome(t *testing.T) {
	t.Helper()
	for i := range someIDs {
		require.NoError(t, h.own(t.Context(), fmt.Sprint(i)))
	}
}

// Two of three nodes are lost, one half a lease after the other. The second came first for a
// part of what the first had owned, and nobody else looks for that when the first is gone.
func TestTwoNodesAreLost(t *testing.T) {
	alone(t, func(t *testing.T, begin func() *heir, _ *store) {
		first, second, third := begin(), begin(), begin()
		first.ownSome(t)
		first.Stop()
		time.Sleep(modelLease / 2)
		second.Stop()
		time.Sleep(3 * modelLease)
		assert.Equal(t, someIDs, third.owns(t))
		assert.EqualValues(t, 2, second.Counts().Removed.Load()+third.Counts().Removed.Load())
		assert.EqualValues(t, someIDs, third.Counts().TakenOver.Load())
	})
}

// A node is lost, and another one loses its lease when that one is gone, and comes back.
func TestANodeIsLostAndAnotherOneIsBack(t *testing.T) {
	alone(t, func(t *testing.T, begin func() *heir, _ *store) {
		lost, back, other := begin(), begin(), begin()
		lost.ownSome(t)
		lost.Stop()
		time.Sleep(modelLease)
		before := back.Session()
		back.Fence(before)
		time.Sleep(3 * modelLease)
		require.NotEqual(t, before, back.Session())
		assert.Equal(t, someIDs, back.owns(t)+other.owns(t))
	})
}

// What could not be taken over is tried again, ever more rarely, until it can. Nobody looks
// for anything while nothing is gone.
func TestTakeOverIsTriedAgain(t *testing.T) {
	const long = 100 * modelLease
	alone(t, func(t *testing.T, begin func() *heir, _ *store) {
		lost, other := begin(), begin()
		lost.ownSome(t)
		time.Sleep(long)
		require.EqualValues(t, 1, other.looks.Load(), "when it began")
		other.full.Store(true)
		lost.Stop()
		time.Sleep(long)
		assert.Zero(t, other.owns(t))
		looks := other.looks.Load()
		assert.Greater(t, looks, int64(10))
		assert.Less(t, looks, int64(20))

		other.full.Store(false)
		time.Sleep(20 * modelLease)
		assert.Equal(t, someIDs, other.owns(t))
		looks = other.looks.Load()
		time.Sleep(long)
		assert.Equal(t, looks, other.looks.Load())
	})
}

// A node was lost so long ago that the store says nothing of its session any more, and nobody could
// take over what it had owned. A node that begins then finds that out.
func TestForgottenSession(t *testing.T) {
	alone(t, func(t *testing.T, begin func() *heir, sessions *store) {
		lost, full := begin(), begin()
		lost.ownSome(t)
		session := lost.Session().ID
		full.full.Store(true)
		lost.Stop()
		time.Sleep(3 * modelLease)
		sessions.mu.Lock()
		require.True(t, sessions.entries["guild."+session].Deleted)
		delete(sessions.entries, "guild."+session)
		sessions.mu.Unlock()
		require.NoError(t, full.Leave(t.Context(), full.Session()))

		next := begin()
		time.Sleep(modelLease)
		assert.Equal(t, someIDs, next.owns(t))
		state, _ := next.View().State(session, time.Now())
		assert.Equal(t, ownership.Gone, state)
	})
}

// A session that a node does not know yet is not gone.
func TestUnknownSessionIsAlive(t *testing.T) {
	alone(t, func(t *testing.T, begin func() *heir, sessions *store) {
		owner := begin()
		n := &network{random: rand.New(rand.NewPCG(1, 2))}
		blind := ownership.NewMember(ownership.Config{Kind: "guild", Lease: modelLease, Sessions: bucket{sessions, n}})
		gone, err := blind.Gone(t.Context(), owner.Session().ID)
		require.NoError(t, err)
		assert.False(t, gone)
		require.NoError(t, owner.Leave(t.Context(), owner.Session()))
		gone, err = blind.Gone(t.Context(), "nobody")
		require.NoError(t, err)
		assert.True(t, gone)
	})
}
