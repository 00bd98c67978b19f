// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"weak"

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

// archive makes instances with state that is worth to be saved.
type archive struct {
	saved    int
	starts   int
	state    weak.Pointer[cargo] // of the last instance
	onSaving job
}

func (a *archive) start(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
	a.starts++
	state, n := new(cargo), a.saved
	a.state = weak.Make(state)
	return mailbox.Instance[job]{
		Handle: func(ctx context.Context, j job) error {
			defer runtime.KeepAlive(state)
			n++
			return j(ctx)
		},
		Save: func(ctx context.Context) error {
			if err := carryOut(ctx, freight{do: a.onSaving}); err != nil {
				return err
			}
			a.saved = n
			return nil
		},
	}, nil
}

func TestPassivatedSavesAndFreesTheState(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var a archive
		ref := spawnFrom(t, sys, a.start, opts...)
		passivate(t, ref)
		assert.Zero(t, a.starts, "there was nothing yet")
		for i := 1; i <= 3; i++ {
			sendAll(t, ref, nothings(10)...)
			settle()
			assert.False(t, collected(a.state), "the control")
			passivate(t, ref)
			assert.Equal(t, i, a.starts)
			assert.Equal(t, 10*i, a.saved)
			assert.True(t, collected(a.state))
			passivate(t, ref)
			assert.EqualValues(t, i, sys.Stats().Passivated, "there is nothing more to passivate")
		}
		assert.Equal(t, 1, sys.Stats().Processes)
		require.NoError(t, ref.Stop(t.Context()))
		assert.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrStopped)
		assert.Equal(t, 3, a.starts)
	})
}

func TestFailedStateIsFreedDuringTheBackoff(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var a archive
		ref := spawnFrom(t, sys, a.start, restarting(mailbox.RestartPolicy{MinBackoff: time.Hour}, opts...)...)
		sendAll(t, ref, panics)
		settle()
		assert.True(t, collected(a.state))
		passivate(t, ref)
		time.Sleep(2 * time.Hour)
		assert.Zero(t, sys.Stats().Passivated, "there was nothing to passivate")
		assert.Zero(t, a.saved, "what failed is not saved")
		drain(t, sys)
	})
}

func TestPassivatedOfWhatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		assert.ErrorIs(t, await(t, mailbox.Ref[job]{}.Passivate()), mailbox.ErrStopped)
		assert.ErrorIs(t, await(t, spawn(t, sys, "worker", do).Passivate()), mailbox.ErrConfig, "it has no Factory")
		var a archive
		ref := spawnFrom(t, sys, a.start)
		held, _, release := hold()
		sendAll(t, ref, held)
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		assert.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrStopped, "it takes no messages any more")
		release()
		require.NoError(t, <-stopped)
		assert.Equal(t, 1, a.saved, "but before its end")
	})
}

func TestBusyProcessIsPassivatedAfterItsMessages(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var a archive
		ref := spawnFrom(t, sys, a.start, opts...)
		asked := make(chan (<-chan error), 1)
		held, entered, release := hold()
		sendAll(t, ref, held)
		sendAll(t, ref, nothings(100)...)
		sendAll(t, ref, func(ctx context.Context) error { // And when it asks itself.
			self, _ := mailbox.Self[job](ctx)
			asked <- self.Passivate()
			return self.Send(ctx, nothing)
		})
		await(t, entered)
		outside := ref.Passivate()
		settle()
		assert.Zero(t, a.saved)
		assert.Empty(t, outside)
		release()
		require.NoError(t, await(t, outside))
		require.NoError(t, await(t, await(t, asked)))
		assert.Equal(t, 103, a.saved)
		assert.Equal(t, 1, a.starts)
		assert.EqualValues(t, 1, sys.Stats().Passivated)
		drain(t, sys)
	})
}

func TestMessagesSentDuringASaveAreHandled(t *testing.T) {
	for name, result := range map[string]struct {
		of     job
		starts int // of those that follow
	}{"saved": {nothing, 1}, "not saved": {fails, 0}} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				held, entered, release := hold()
				l := lives{save: func(ctx context.Context) error { _ = held(ctx); return result.of(ctx) }}
				ref := spawnFrom(t, sys, l.start, append(opts, mailbox.WithCapacity(3))...)
				sendAll(t, ref, nothing)
				settle()
				passivate(t, ref)
				await(t, entered)
				sendAll(t, ref, nothings(3)...)
				require.ErrorIs(t, ref.TrySend(t.Context(), nothing), mailbox.ErrFull)
				waits := inBackground(func() error { return ref.Send(t.Context(), nothing) })
				settle()
				require.EqualValues(t, 1, sys.Stats().Waiting)
				release()
				require.NoError(t, await(t, waits))
				drain(t, sys)
				assert.Equal(t, 1+result.starts, l.starts)
				assert.Len(t, l.ages, 5)
				requireAtRest(t, sys.Stats())
			})
		})
	}
}

func TestSaveThatFailsKeepsTheState(t *testing.T) {
	for name, fault := range map[string]job{"error": fails, "panic": panics, "Goexit": exits} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				a := archive{onSaving: fault}
				ref := spawnFrom(t, sys, a.start, restarting(mailbox.RestartPolicy{}, opts...)...)
				for range 2 {
					sendAll(t, ref, nothings(10)...)
					settle()
					passivate(t, ref)
				}
				assert.False(t, collected(a.state))
				a.onSaving = nil
				passivate(t, ref)
				assert.Equal(t, 1, a.starts)
				assert.Equal(t, 20, a.saved)
				s := sys.Stats()
				assert.EqualValues(t, 2, s.SaveFailures)
				assert.EqualValues(t, 1, s.Passivated)
				assert.Zero(t, s.Failed)
				assert.Zero(t, s.Restarts)
				drain(t, sys)
			})
		})
	}
}

// A process that has left something for later needs its state for that.
func TestProcessThatExpectsSomethingIsNotPassivated(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var a archive
		ref := spawnFrom(t, sys, a.start, append(opts, mailbox.WithPassivation(time.Minute))...)
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
			_, err := mailbox.Call(context.Background(), ref, func(r mailbox.Reply[int]) job {
				return func(context.Context) error { left <- r; return nil }
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
		var a archive
		ref := spawnFrom(t, sys, a.start, opts...)
		require.NoError(t, await(t, ref.Passivate()), "there was nothing yet")
		sendAll(t, ref, nothing)
		first, second := ref.Passivate(), ref.Passivate()
		require.NoError(t, await(t, first))
		require.NoError(t, await(t, second))
		assert.Equal(t, 1, a.saved)

		a.onSaving = fails
		sendAll(t, ref, nothing)
		require.ErrorIs(t, await(t, ref.Passivate()), errSpilt)
		a.onSaving = nil

		sendAll(t, ref, func(ctx context.Context) error {
			ref.SendAfter(ctx, time.Hour, nothing)
			return nil
		})
		require.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrNotIdle)

		held, entered, release := hold()
		sendAll(t, ref, held)
		await(t, entered)
		overtaken := ref.Passivate()
		stopped := inBackground(func() error { return ref.Stop(t.Context()) })
		settle()
		release()
		require.ErrorIs(t, await(t, overtaken), mailbox.ErrStopped, "its end came first")
		require.NoError(t, <-stopped)
		require.ErrorIs(t, await(t, ref.Passivate()), mailbox.ErrStopped)
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
		var a archive
		ref := spawnFrom(t, sys, a.start, append(opts, mailbox.WithPassivation(time.Minute))...)
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
		assert.Equal(t, 10, a.starts)
		time.Sleep(24 * time.Hour)
		settle()
		assert.EqualValues(t, 10, sys.Stats().Passivated)
		drain(t, sys)
	})
}

func TestBusyIsNotIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var a archive
		ref := spawnFrom(t, sys, a.start, mailbox.WithPassivation(time.Minute))
		sendAll(t, ref, func(context.Context) error { time.Sleep(time.Hour); return nil }, nothing)
		time.Sleep(time.Hour - time.Second)
		assert.Zero(t, sys.Stats().Passivated)
		time.Sleep(time.Minute)
		settle()
		assert.Equal(t, 2, a.saved)
		a.onSaving = fails // It is tried again and again.
		sendAll(t, ref, nothing)
		time.Sleep(time.Hour)
		settle()
		assert.InDelta(t, 118, sys.Stats().SaveFailures, 2)
		drain(t, sys)
	})
}

func TestEndWhileSaving(t *testing.T) {
	stop := func(ref mailbox.Ref[job]) { _ = ref.Stop(context.Background()) }
	for name, test := range map[string]struct {
		end            func(ref mailbox.Ref[job])
		queued, starts int
		err            error
	}{
		"kill":                {mailbox.Ref[job].Kill, 2, 1, mailbox.ErrKilled},
		"stop":                {stop, 0, 1, nil},
		"stop, with messages": {stop, 2, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				told := false
				a := archive{onSaving: func(ctx context.Context) error {
					select {
					case <-ctx.Done():
						told = true
					case <-time.After(5 * time.Second):
					}
					return nil
				}}
				ref := spawnFrom(t, sys, a.start, opts...)
				sendAll(t, ref, nothing)
				settle()
				passivate(t, ref)
				sendAll(t, ref, nothings(test.queued)...)
				test.end(ref)
				await(t, ref.Done())
				require.ErrorIs(t, ref.Err(), test.err)
				assert.Equal(t, test.err != nil, told)
				assert.Equal(t, test.starts, a.starts)
				s := sys.Stats()
				if test.err == nil {
					assert.EqualValues(t, 1+test.queued, s.Handled)
				} else {
					assert.EqualValues(t, test.queued, s.DeadLetters.Killed)
				}
				requireAtRest(t, s)
			})
		})
	}
}

// A shutdown that is cut short waits for no Save that does not heed its context.
func TestShutdownCutShortWhileSaving(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		a := archive{onSaving: func(context.Context) error { time.Sleep(time.Hour); return nil }}
		ref := spawnFrom(t, sys, a.start, opts...)
		sendAll(t, ref, nothing)
		settle()
		passivate(t, ref)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		elapsed := stopwatch()
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, sys.Shutdown(ctx), &cut)
		assert.Equal(t, time.Second, elapsed())
		assert.Equal(t, 1, cut.Busy)
		<-ref.Done()
	})
}

// Save may do what a handler may.
func TestSaveIsPartOfItsProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		other := spawn(t, sys, "other", do)
		var a archive
		var ref mailbox.Ref[job]
		a.onSaving = func(ctx context.Context) error {
			a.onSaving = nil // The other time is before the end.
			self, ok := mailbox.Self[job](ctx)
			assert.True(t, ok)
			assert.Equal(t, ref, self)
			mailbox.SentAt(ctx) // There is no message, so the time does not matter.
			_, err := mailbox.Call(ctx, other, func(r mailbox.Reply[int]) job {
				return func(context.Context) error { r.Answer(1); return nil }
			})
			assert.NoError(t, err)
			assert.NoError(t, self.Send(ctx, nothing))
			return self.Stop(ctx)
		}
		ref = spawnFrom(t, sys, a.start)
		sendAll(t, ref, nothing)
		settle()
		passivate(t, ref)
		await(t, ref.Done())
		assert.Equal(t, 2, a.starts)
		assert.EqualValues(t, 1, sys.Stats().Passivated)
		drain(t, sys)
	})
}
