// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// How processes end is in TestModel. Here is what that leaves out.

func TestEndsMayComeTogether(t *testing.T) {
	for range 300 {
		sys := newSystem(t)
		ref := spawn(t, sys, "worker", do)
		sent := 0
		for range 3 {
			if ref.Send(t.Context(), nothing) == nil {
				sent++
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, ref.Stop(context.Background())) })
		wg.Go(ref.Kill)
		wg.Go(func() { assert.NoError(t, sys.Shutdown(context.Background())) })
		wg.Wait()
		await(t, ref.Done())
		s := sys.Stats()
		require.EqualValues(t, sent, s.Accepted)
		require.Zero(t, s.Processes)
		requireAtRest(t, s)
	}
}

func TestRefAfterTheEnd(t *testing.T) {
	sys := newSystem(t)
	ref := spawnAs(t, sys, "worker", "w-1", do)
	ref.Kill()
	await(t, ref.Done())
	for _, r := range []mailbox.Ref[job]{ref, {}} {
		require.ErrorIs(t, r.Send(t.Context(), nothing), mailbox.ErrStopped)
		require.ErrorIs(t, r.TrySend(t.Context(), nothing), mailbox.ErrStopped)
		_, err := call(t.Context(), r, answer)
		require.ErrorIs(t, err, mailbox.ErrStopped)
		require.NoError(t, r.Stop(t.Context()))
		r.Kill()
		await(t, r.Done())
		if r == ref {
			require.ErrorIs(t, r.Err(), mailbox.ErrKilled)
		} else {
			require.NoError(t, r.Err())
		}
		group := newGroup[job](t, sys, "workers")
		require.ErrorIs(t, group.Join(r), mailbox.ErrStopped)
		assert.False(t, group.Leave(r))
		assert.Zero(t, group.Len())
	}
	assert.Equal(t, "w-1", ref.ID())
	assert.Empty(t, mailbox.Ref[job]{}.ID()+mailbox.Ref[job]{}.Kind())
	assert.Equal(t, mailbox.Refused{Stopped: 3}, sys.Stats().Refused)
}

func TestNothingIsSpawnedAfterShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		_, release := fill(t, sys, 1)
		done := inBackground(func() error { return sys.Shutdown(t.Context()) })
		settle()
		_, err := mailbox.Spawn(sys, "worker", do)
		require.ErrorIs(t, err, mailbox.ErrStopped, "from its start")
		release()
		require.NoError(t, await(t, done))
		kind := newKind[job](t, sys, "worker")
		ref, err := kind.Spawn("", do)
		require.ErrorIs(t, err, mailbox.ErrStopped)
		assert.Equal(t, mailbox.Ref[job]{}, ref)
		_, err = kind.SpawnInstance("", new(lives).start)
		require.ErrorIs(t, err, mailbox.ErrStopped)
	})
}

func TestShutdownCutShortTellsWhatWasLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		idle := spawn(t, sys, "idle", do)
		_, releaseA := fill(t, sys, 3)
		_, releaseB := fill(t, sys, 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		elapsed := stopwatch()
		err := sys.Shutdown(ctx)
		assert.Equal(t, time.Second, elapsed())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, err, &cut)
		assert.Equal(t, mailbox.ShutdownError{Busy: 2, DeadLetters: 7, Cause: context.DeadlineExceeded}, *cut)
		assert.Contains(t, err.Error(), "2 processes busy and 7 messages")
		await(t, idle.Done())
		releaseA()
		releaseB()
		require.NoError(t, sys.Shutdown(t.Context()))
	})
}

func TestShutdownOfIdleProcessesNeedsNoTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		sys := newSystem(t)
		for range 5 {
			spawn(t, sys, "worker", do)
		}
		require.NoError(t, sys.Shutdown(ctx))
		require.Zero(t, sys.Stats().Processes)
	}
}

// What Shutdown foretells is what comes, also while processes work.
func TestShutdownCutShortAtAnyMoment(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for round := range 400 {
		sys := newSystem(t)
		stuck, open := fill(t, sys, 3)
		refs := []mailbox.Ref[job]{stuck}
		var ran [4]atomic.Bool // whose handler was ever called
		for i := range ran {
			ref := spawn(t, sys, "worker", do)
			refs = append(refs, ref)
			run := func(context.Context) error { ran[i].Store(true); return nil }
			sendAll(t, ref, slices.Repeat([]job{run}, 1+round%7)...)
		}
		err := sys.Shutdown(ctx)
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, err, &cut)
		open()
		for _, ref := range refs {
			await(t, ref.Done())
		}
		s := sys.Stats()
		require.Equal(t, s.DeadLetters.Total(), cut.DeadLetters, "round %d", round)
		mayBeBusy := 1
		for i := range ran {
			if ran[i].Load() {
				mayBeBusy++
			}
		}
		require.GreaterOrEqual(t, cut.Busy, 1)
		require.LessOrEqual(t, cut.Busy, mayBeBusy)
		requireAtRest(t, s)
	}
}
