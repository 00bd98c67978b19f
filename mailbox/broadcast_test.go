// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestBroadcastNeverWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		group := newGroup[job](t, sys, "workers")
		full, releaseFull := fill(t, sys, 1)
		dropping, releaseDropping := fill(t, sys, 2, mailbox.WithOverflow(mailbox.DropOldest))
		stopping, releaseStopping := fill(t, sys, 3)
		free := spawn(t, sys, "worker", do)
		for _, ref := range []mailbox.Ref[job]{full, dropping, stopping, free} {
			require.NoError(t, group.Join(ref))
		}
		stopped := later(func() error { return stopping.Stop(t.Context()) })
		settle()

		elapsed := stopwatch()
		refused := make(map[mailbox.Ref[job]]error)
		d := group.BroadcastFunc(t.Context(), nothing, func(member mailbox.Ref[job], err error) {
			refused[member] = err
		})
		assert.Zero(t, elapsed())
		assert.Equal(t, mailbox.Delivery{Size: 4, Delivered: 2, Refused: 2, Full: 1, Stopped: 1}, d)
		assert.Equal(t, map[mailbox.Ref[job]]error{full: mailbox.ErrFull, stopping: mailbox.ErrStopped}, refused)
		s := sys.Stats()
		assert.Equal(t, mailbox.Refused{Full: 1, Stopped: 1}, s.Refused)
		assert.Equal(t, mailbox.DeadLetters{Dropped: 1}, s.DeadLetters)

		releaseFull()
		releaseDropping()
		releaseStopping()
		require.NoError(t, await(t, stopped))
		drain(t, sys)
		requireAtRest(t, sys.Stats())
	})
}

func TestBroadcastFromAHandlerNeverWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		group := newGroup[job](t, sys, "workers")
		full, release := fill(t, sys, 1)
		own := spawn(t, sys, "worker", do, mailbox.WithCapacity(1))
		require.NoError(t, group.Join(full))
		require.NoError(t, group.Join(own))
		result := make(chan mailbox.Delivery, 1)
		require.NoError(t, own.Send(t.Context(), func(ctx context.Context) error {
			elapsed := stopwatch()
			result <- group.Broadcast(ctx, nothing)
			assert.Zero(t, elapsed())
			return nil
		}))
		assert.Equal(t, mailbox.Delivery{Size: 2, Delivered: 1, Refused: 1, Full: 1}, await(t, result))
		release()
		drain(t, sys)
	})
}

// Those that a broadcast wakes are queued many at a time.
func TestBroadcastWakesInBatches(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // The system has one worker.
		const batch, members = 32, 10*32 + 1
		sys := newSystem(t)
		group := newGroup[job](t, sys, "workers")
		for range members {
			require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
		}
		_, release := fill(t, sys, 1)
		group.Broadcast(t.Context(), nothing)
		processes, chunks := sys.Waiting()
		assert.Equal(t, members, processes)
		assert.Equal(t, members/batch+1, chunks)
		release()
		drain(t, sys)
		assert.EqualValues(t, members+2, sys.Stats().Handled)
	})
}

func TestBroadcastToNobody(t *testing.T) {
	rec := record(t)
	ctx, root := rec.start()
	assert.Zero(t, newGroup[job](t, rec.system(), "workers").Broadcast(ctx, nothing))
	root.End()
	assert.Equal(t, []string{"root"}, rec.names())
}

// shout is a broadcast message that knows where it is counted.
type shout struct{ handled *atomic.Int32 }

// While members come, go and end, every member that took a broadcast handles
// it, once.
func TestBroadcastWhileMembersComeAndGo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const broadcasters, churners, each, steps = 3, 3, 150, 300
	rec := record(t)
	sys := rec.system()
	group := newGroup[shout](t, sys, "crowd")
	// Each process finds out whether it gets anything twice.
	newMember := func() mailbox.Ref[shout] {
		seen := make(map[*atomic.Int32]bool)
		ref, err := mailbox.Spawn(sys, "member", func(_ context.Context, m shout) error {
			assert.False(t, seen[m.handled], "twice to one member")
			seen[m.handled] = true
			m.handled.Add(1)
			return nil
		}, mailbox.WithCapacity(2))
		assert.NoError(t, err)
		assert.NoError(t, group.Join(ref))
		return ref
	}
	for range 20 {
		newMember()
	}

	var wg sync.WaitGroup
	for churner := range churners {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(churner)))
			var mine []mailbox.Ref[shout]
			for range steps {
				if len(mine) < 10 {
					mine = append(mine, newMember())
					continue
				}
				i := random.IntN(len(mine))
				ref := mine[i]
				switch random.IntN(3) {
				case 0:
					group.Leave(ref)
				case 1:
					_ = group.Join(ref)
				case 2: // Graceful, so that what it took it handles.
					assert.NoError(t, ref.Stop(context.Background()))
					mine = slices.Delete(mine, i, i+1)
				}
			}
		})
	}
	type sent struct {
		delivery mailbox.Delivery
		handled  *atomic.Int32
	}
	all := make([][]sent, broadcasters)
	for b := range broadcasters {
		wg.Go(func() {
			ctx := context.Background()
			if b == 0 { // One of them is traced.
				traced, root := rec.tracer.Start(ctx, "root")
				defer root.End()
				ctx = traced
			}
			for range each {
				handled := new(atomic.Int32)
				all[b] = append(all[b], sent{group.Broadcast(ctx, shout{handled}), handled})
			}
		})
	}
	wg.Wait()
	drain(t, sys)

	delivered, rejected := 0, 0
	for _, list := range all {
		for _, s := range list {
			require.Equal(t, s.delivery.Size, s.delivery.Delivered+s.delivery.Refused)
			require.EqualValues(t, s.delivery.Delivered, s.handled.Load(), "handled as often as delivered")
			delivered += s.delivery.Delivered
			rejected += s.delivery.Refused
		}
	}
	s := sys.Stats()
	assert.EqualValues(t, delivered, s.Handled)
	assert.EqualValues(t, delivered, s.Accepted)
	assert.EqualValues(t, rejected, s.Refused.Total())
	assert.Positive(t, delivered)
	requireAtRest(t, s)
}
