// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
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
		stopped := inBackground(func() error { return stopping.Stop(t.Context()) })
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
