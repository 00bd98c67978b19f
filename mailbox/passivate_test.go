// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// passivate has an idle process passivated, and returns when that is over.
func passivate(t *testing.T, ref mailbox.Ref[job]) {
	t.Helper()
	ref.Passivate()
	settle()
}

func TestPassivatedSavesAndFreesTheState(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, opts...)
		passivate(t, ref)
		assert.Zero(t, l.starts, "there was nothing yet")
		for i := 1; i <= 3; i++ {
			sendAll(t, ref, nothings(10)...)
			settle()
			assert.False(t, collected(l.state), "the control")
			passivate(t, ref)
			assert.Equal(t, i, l.starts)
			assert.Equal(t, 10*i, l.saved)
			assert.True(t, collected(l.state))
			passivate(t, ref)
			assert.EqualValues(t, i, sys.Stats().Passivated, "there is nothing more to passivate")
		}
		assert.Equal(t, 1, sys.Stats().Processes)
		drain(t, sys)
		assert.Equal(t, 3, l.starts)
	})
}

func TestInstanceWithoutSaveIsPassivatedToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys, starts := newSystem(t), 0
		ref := spawnFrom(t, sys, func(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
			starts++
			return mailbox.Instance[job]{Handle: do}, nil
		})
		for range 3 {
			sendAll(t, ref, nothings(2)...)
			settle()
			passivate(t, ref)
		}
		assert.Equal(t, 3, starts)
		assert.EqualValues(t, 3, sys.Stats().Passivated)
		drain(t, sys)
	})
}

func TestFailedStateIsFreedDuringTheBackoff(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{MinBackoff: time.Hour}, opts...)...)
		sendAll(t, ref, panics)
		settle()
		assert.True(t, collected(l.state))
		passivate(t, ref)
		time.Sleep(2 * time.Hour)
		assert.Zero(t, sys.Stats().Passivated, "there was nothing to passivate")
		assert.Zero(t, l.saved, "what failed is not saved")
		drain(t, sys)
	})
}

// A process that has left something for later needs its state for that.
func TestProcessThatExpectsSomethingIsNotPassivated(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, append(opts, mailbox.WithPassivation(time.Minute))...)
		others := ref.SendAfter(t.Context(), 24*time.Hour, nothing)
		sendAll(t, ref, func(ctx context.Context) error {
			ref.SendAfter(ctx, time.Hour, nothing)
			return nil
		})
		settle()
		passivate(t, ref)
		time.Sleep(time.Hour - time.Second)
		settle()
		require.Zero(t, sys.Stats().Passivated, "it has a timer of its own")
		time.Sleep(time.Minute + 31*time.Second)
		settle()
		require.EqualValues(t, 1, sys.Stats().Passivated, "others' timers do not matter")
		assert.True(t, others.Stop())

		left := make(chan mailbox.Reply[int], 1)
		answered := inBackground(func() error {
			_, err := call(context.Background(), ref, func(_ context.Context, r mailbox.Reply[int]) error {
				left <- r
				return nil
			})
			return err
		})
		settle()
		passivate(t, ref)
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, sys.Stats().Passivated, "somebody waits for an answer")
		assert.True(t, (<-left).Answer(1))
		require.NoError(t, <-answered)
		time.Sleep(time.Minute)
		settle()
		assert.EqualValues(t, 2, sys.Stats().Passivated)
		drain(t, sys)
	})
}

// Whoever asks hears once what has become of it.
func TestPassivateTellsWhenItIsDone(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, opts...)
		require.NoError(t, await(t, ref.Passivate()), "there was nothing yet")
		sendAll(t, ref, nothing)
		first, second := ref.Passivate(), ref.Passivate()
		require.NoError(t, await(t, first))
		require.NoError(t, await(t, second))
		assert.Equal(t, 1, l.saved)

		l.save = fails
		sendAll(t, ref, nothing)
		require.ErrorIs(t, await(t, ref.Passivate()), errSpilt)
		l.save = nil

		sendAll(t, ref, func(ctx context.Context) error {
			ref.SendAfter(ctx, time.Hour, nothing)
			return nil
		})
		require.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrNotIdle)

		release := keepBusy(t, ref)
		overtaken := ref.Passivate()
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		require.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrStopped, "it takes no messages any more")
		release()
		require.ErrorIs(t, await(t, overtaken), mailbox.ErrStopped, "its end came first")
		require.NoError(t, <-stopped)
		assert.Equal(t, 4, l.saved, "before its end")
		require.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrStopped)
		require.ErrorIs(t, await(t, mailbox.Ref[job]{}.Passivate()), mailbox.ErrStopped)
		require.ErrorIs(t, await(t, spawn(t, sys, "worker", do).Passivate()), mailbox.ErrConfig, "it has no Factory")
		drain(t, sys)
	})
}

// idleFor returns how long after its last message the process was passivated.
func idleFor(t *testing.T, sys *mailbox.System) time.Duration {
	t.Helper()
	elapsed, before := stopwatch(), sys.Stats().Passivated
	for sys.Stats().Passivated == before {
		time.Sleep(time.Second)
		settle()
		require.Less(t, elapsed(), time.Hour)
	}
	return elapsed()
}

func TestIdleProcessesArePassivated(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, append(opts, mailbox.WithPassivation(time.Minute))...)
		for round := range 10 { // Anywhere between two sweeps.
			at := time.Duration(rand.IntN(60_000)) * time.Millisecond
			for range 100 {
				sendAll(t, ref, nothing)
				time.Sleep(20 * time.Second) // Never idle for that long.
			}
			switch { // How it was used before does not matter.
			case round == 3:
				_ = ref.Done()
			case round > 5:
				sendAll(t, ref, nothings(5)...)
			}
			require.EqualValues(t, round, sys.Stats().Passivated)
			time.Sleep(at)
			sendAll(t, ref, nothing)
			idle := idleFor(t, sys)
			require.GreaterOrEqual(t, idle, time.Minute)
			require.LessOrEqual(t, idle, 91*time.Second)
		}
		assert.Equal(t, 10, l.starts)
		time.Sleep(24 * time.Hour)
		settle()
		assert.EqualValues(t, 10, sys.Stats().Passivated)
		drain(t, sys)
	})
}

func TestBusyIsNotIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, mailbox.WithPassivation(time.Minute))
		sendAll(t, ref, func(context.Context) error { time.Sleep(time.Hour); return nil }, nothing)
		time.Sleep(time.Hour - time.Second)
		assert.Zero(t, sys.Stats().Passivated)
		time.Sleep(time.Minute)
		settle()
		assert.Equal(t, 2, l.saved)
		l.save = fails // It is tried again and again.
		sendAll(t, ref, nothing)
		time.Sleep(time.Hour)
		settle()
		assert.InDelta(t, 118, sys.Stats().SaveFailures, 2)
		drain(t, sys)
	})
}

// Save may do what a handler may.
func TestSaveIsPartOfItsProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		other := spawn(t, sys, "other", do)
		var l lives
		var ref mailbox.Ref[job]
		l.save = func(ctx context.Context) error {
			l.save = nil // The other time is before the end.
			self, ok := mailbox.Self[job](ctx)
			assert.True(t, ok)
			assert.Equal(t, ref, self)
			mailbox.SentAt(ctx) // There is no message, so the time does not matter.
			_, err := call(ctx, other, answer)
			assert.NoError(t, err)
			assert.NoError(t, self.Send(ctx, nothing))
			return self.Stop(ctx)
		}
		ref = spawnFrom(t, sys, l.start)
		sendAll(t, ref, nothing)
		settle()
		passivate(t, ref)
		await(t, ref.Done())
		assert.Equal(t, 2, l.starts)
		assert.EqualValues(t, 1, sys.Stats().Passivated)
		drain(t, sys)
	})
}

// A shutdown that is cut short waits for no Save that does not heed its context.
func TestShutdownCutShortWhileSaving(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		l := lives{save: sleepFor(time.Hour)}
		ref := spawnFrom(t, sys, l.start)
		sendAll(t, ref, nothing)
		settle()
		passivate(t, ref)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, sys.Shutdown(ctx), &cut)
		assert.Equal(t, 1, cut.Busy)
		<-ref.Done()
	})
}
