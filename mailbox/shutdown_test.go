// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

func TestShutdownDrains(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var refs []mailbox.Ref[job]
		for range 10 {
			ref := spawn(t, sys, "worker", do)
			refs = append(refs, ref)
			for range 5 {
				require.NoError(t, ref.Send(t.Context(), func(ctx context.Context) error {
					time.Sleep(time.Second)
					return ctx.Err()
				}))
			}
		}
		require.Equal(t, 10, sys.Stats().Processes)
		require.NoError(t, sys.Shutdown(t.Context()))
		for _, ref := range refs {
			select {
			case <-ref.Done():
			default:
				assert.Fail(t, "not ended")
			}
		}
		s := sys.Stats()
		assert.EqualValues(t, 50, s.Handled)
		assert.Zero(t, s.Processes)
		requireAtRest(t, s)
		require.NoError(t, sys.Shutdown(t.Context()), "a second time")
	})
}

// The newest goes first, so that it can still send to those it was built upon.
func TestShutdownGoesFromNewestToOldest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		old := spawn(t, sys, "old", do)
		young := spawn(t, sys, "young", do)
		var err error
		told := false
		require.NoError(t, young.Send(t.Context(), func(ctx context.Context) error {
			time.Sleep(time.Second)
			err = old.Send(ctx, func(context.Context) error {
				told = true
				return nil
			})
			return nil
		}))
		require.NoError(t, sys.Shutdown(t.Context()))
		require.NoError(t, err)
		assert.True(t, told)
	})
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
		kind, err := mailbox.NewKind[job](sys, "worker")
		require.NoError(t, err)
		ref, err := kind.Spawn("", do)
		require.ErrorIs(t, err, mailbox.ErrStopped)
		assert.Equal(t, mailbox.Ref[job]{}, ref)
	})
}

func TestShutdownCutShortTellsWhatWasLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		idle := spawn(t, sys, "idle", do)
		a, releaseA := fill(t, sys, 3)
		b, releaseB := fill(t, sys, 4)
		gone := spawn(t, sys, "gone", do, mailbox.WithErrorPolicy(mailbox.Terminate)) // Dead letters of an earlier time.
		held, entered, release := hold()
		require.NoError(t, gone.Send(t.Context(), held))
		await(t, entered)
		for range 5 {
			require.NoError(t, gone.Send(t.Context(), fails))
		}
		release()
		await(t, gone.Done())
		require.Equal(t, mailbox.DeadLetters{Failed: 4}, sys.Stats().DeadLetters)

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
		await(t, a.Done())
		await(t, b.Done())
		s := sys.Stats()
		assert.Equal(t, mailbox.DeadLetters{Killed: 7, Failed: 4}, s.DeadLetters, "as was foretold")
		requireAtRest(t, s)
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
	cuts := 0
	for round := range 400 {
		sys := newSystem(t)
		stuck, open := fill(t, sys, 3)
		refs := []mailbox.Ref[job]{stuck}
		var ran [4]atomic.Bool // whose handler was ever called
		for i := range ran {
			ref := spawn(t, sys, "worker", do)
			refs = append(refs, ref)
			for range 1 + round%7 {
				require.NoError(t, ref.Send(t.Context(), func(context.Context) error {
					ran[i].Store(true)
					return nil
				}))
			}
		}
		err := sys.Shutdown(ctx)
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, err, &cut)
		cuts++
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
	assert.Equal(t, 400, cuts)
}
