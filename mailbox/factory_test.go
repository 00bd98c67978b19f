// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// lives makes instances that do jobs. It uses no lock on purpose: the race
// detector sees whether two run at once.
type lives struct {
	starts int
	ages   []int // of each message, the how-many-eth of its instance it was
	before func(ctx context.Context, self mailbox.Ref[job]) error
	save   func(ctx context.Context) error
}

func (l *lives) start(ctx context.Context, self mailbox.Ref[job]) (mailbox.Instance[job], error) {
	l.starts++
	if l.before != nil {
		if err := l.before(ctx, self); err != nil {
			return mailbox.Instance[job]{}, err
		}
	}
	age := 0
	return mailbox.Instance[job]{Save: l.save, Handle: func(ctx context.Context, j job) error {
		age++
		l.ages = append(l.ages, age)
		return j(ctx)
	}}, nil
}

// spawnFrom starts a process of a kind called worker.
func spawnFrom[M any](
	t testing.TB, sys *mailbox.System, start mailbox.Factory[M], opts ...mailbox.KindOption,
) mailbox.Ref[M] {
	t.Helper()
	kind, err := mailbox.NewKind[M](sys, "worker", opts...)
	require.NoError(t, err)
	ref, err := kind.SpawnInstance("seven", start)
	require.NoError(t, err)
	return ref
}

// restarting are options for a process that is restarted after any failure.
func restarting(r mailbox.RestartPolicy, opts ...mailbox.KindOption) []mailbox.KindOption {
	return append(opts, mailbox.WithErrorPolicy(mailbox.Restart), mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(r))
}

// both runs a test with processes that share workers, and with such that do not.
func both(t *testing.T, test func(t *testing.T, opts ...mailbox.KindOption)) {
	t.Helper()
	t.Run("workers", func(t *testing.T) { inBubble(t, func(t *testing.T) { test(t) }) })
	t.Run("own goroutine", func(t *testing.T) {
		inBubble(t, func(t *testing.T) { test(t, mailbox.WithDedicatedGoroutine()) })
	})
}

// sendAll sends jobs one after the other.
func sendAll(t *testing.T, ref mailbox.Ref[job], jobs ...job) {
	t.Helper()
	for _, j := range jobs {
		require.NoError(t, ref.Send(t.Context(), j))
	}
}

// nothings returns n jobs with nothing to do.
func nothings(n int) []job { return slices.Repeat([]job{nothing}, n) }

func TestStartComesWithTheFirstMessage(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var selves []mailbox.Ref[job]
		l := lives{before: func(_ context.Context, self mailbox.Ref[job]) error {
			selves = append(selves, self)
			return nil
		}}
		ref := spawnFrom(t, sys, l.start, opts...)
		time.Sleep(time.Hour)
		settle()
		require.Zero(t, l.starts, "nothing has come yet")
		for range 3 {
			sendAll(t, ref, nothings(2)...)
			time.Sleep(time.Hour)
		}
		drain(t, sys)
		assert.Equal(t, []mailbox.Ref[job]{ref}, selves)
		assert.Equal(t, "seven", selves[0].ID())
		assert.Equal(t, "worker", selves[0].Kind())
		assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, l.ages)
	})
}

func TestProcessThatGotNoMessageIsNotStarted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var l lives
		stopped, killed := spawnFrom(t, sys, l.start), spawnFrom(t, sys, l.start)
		require.NoError(t, stopped.Stop(t.Context()))
		killed.Kill()
		drain(t, sys)
		assert.Zero(t, l.starts)
		kind, err := mailbox.NewKind[job](sys, "worker")
		require.NoError(t, err)
		_, err = kind.SpawnInstance("", l.start)
		assert.ErrorIs(t, err, mailbox.ErrStopped)
	})
}

func TestStartIsNotCalledForACallThatExpired(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		l := lives{before: func(context.Context, mailbox.Ref[job]) error {
			time.Sleep(3 * time.Second)
			return errSpilt
		}}
		ref := spawnFrom(t, sys, l.start)
		sendAll(t, ref, nothing)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := mailbox.Call(ctx, ref, func(mailbox.Reply[int]) job { return nothing })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		drain(t, sys)
		assert.Equal(t, 1, l.starts)
		assert.Equal(t, mailbox.DeadLetters{Expired: 1}, sys.Stats().DeadLetters)
	})
}

// noHandler is a Factory that forgot something.
func noHandler(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
	return mailbox.Instance[job]{Save: nothing}, nil
}

func startsWith(fault job) mailbox.Factory[job] {
	l := lives{before: func(ctx context.Context, _ mailbox.Ref[job]) error { return fault(ctx) }}
	return l.start
}

// A Factory that fails is for the process and for who called it what a handler
// that fails is.
func TestStartThatFails(t *testing.T) {
	const stop, goOn, restart = mailbox.Terminate, mailbox.Continue, mailbox.Restart
	for _, fault := range []struct {
		name   string
		start  mailbox.Factory[job]
		panics bool
		want   error
	}{
		{"error", startsWith(fails), false, errSpilt},
		{"no handler", noHandler, false, mailbox.ErrConfig},
		{"panic", startsWith(panics), true, errSpilt},
		{"Goexit", startsWith(exits), true, mailbox.ErrGoexit},
	} {
		for _, policy := range []mailbox.FailurePolicy{goOn, stop, restart} {
			other := map[mailbox.FailurePolicy]mailbox.FailurePolicy{goOn: stop, stop: goOn, restart: stop}[policy]
			onError, onPanic := policy, other
			if fault.panics {
				onError, onPanic = other, policy
			}
			t.Run(fmt.Sprintf("%s, policy %d", fault.name, policy), func(t *testing.T) {
				both(t, func(t *testing.T, opts ...mailbox.KindOption) {
					startFails(t, fault.start, fault.want, policy,
						append(opts, mailbox.WithErrorPolicy(onError), mailbox.WithPanicPolicy(onPanic))...)
				})
			})
		}
	}
}

func startFails(
	t *testing.T, fault mailbox.Factory[job], want error, policy mailbox.FailurePolicy, opts ...mailbox.KindOption,
) {
	t.Helper()
	sys := newSystem(t)
	starts := 0
	var l lives
	ref := spawnFrom(t, sys, func(ctx context.Context, self mailbox.Ref[job]) (mailbox.Instance[job], error) {
		if starts++; starts == 1 {
			return fault(ctx, self)
		}
		return l.start(ctx, self)
	}, opts...)
	elapsed := stopwatch()
	_, err := mailbox.Call(t.Context(), ref, func(mailbox.Reply[int]) job { return nothing })
	require.ErrorIs(t, err, want)
	if policy == mailbox.Terminate {
		await(t, ref.Done())
		require.ErrorIs(t, ref.Err(), want)
		assert.Equal(t, 1, starts)
		return
	}
	require.NoError(t, ref.Err())
	pass(t, ref)
	assert.Equal(t, 2, starts)
	assert.Equal(t, []int{1}, l.ages, "the message that the Factory failed for was not handled")
	assert.Equal(t, policy == mailbox.Restart, elapsed() > 0, "it took %v", elapsed())
	drain(t, sys)
	s := sys.Stats()
	assert.EqualValues(t, 1, s.Failed)
	assert.EqualValues(t, 1, s.Handled)
	assert.Equal(t, policy == mailbox.Restart, s.Restarts == 1)
	requireAtRest(t, s)
}

// What a Factory had begun when it failed is not there for the next one to begin
// again.
func TestStartThatFailsLeavesNoTimers(t *testing.T) {
	for name, fault := range map[string]job{"error": fails, "panic": panics, "Goexit": exits} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				l := lives{before: func(ctx context.Context, self mailbox.Ref[job]) error {
					self.SendAfter(ctx, time.Second, nothing)
					return fault(ctx)
				}}
				ref := spawnFrom(t, sys, l.start, append(opts, mailbox.WithPanicPolicy(mailbox.Continue))...)
				ref.SendEvery(t.Context(), time.Minute, nothing) // The control: not its own.
				time.Sleep(3*time.Minute + time.Second/2)
				settle()
				assert.Equal(t, 3, l.starts)
				drain(t, sys)
			})
		})
	}
}

func TestStartIsInTheTraceOfItsMessage(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	var starts atomic.Int32
	start := func() mailbox.Ref[job] {
		return spawnFrom(t, sys, startsWith(func(ctx context.Context) error {
			_, span := rec.tracer.Start(ctx, "load")
			span.End()
			starts.Add(1)
			return nil
		}))
	}
	ctx, root := rec.start()
	require.NoError(t, start().Send(ctx, nothing))
	_, err := mailbox.Call(ctx, start(), func(r mailbox.Reply[int]) job {
		return func(context.Context) error { r.Answer(1); return nil }
	})
	require.NoError(t, err)
	require.NoError(t, start().Send(t.Context(), nothing))
	root.End()
	drain(t, sys)
	require.EqualValues(t, 3, starts.Load())
	loads := rec.all("load")
	require.Len(t, loads, 2, "the third message had no trace")
	assert.NotEqual(t, loads[0].Parent.SpanID(), loads[1].Parent.SpanID())
	for _, handling := range rec.all("worker job") {
		i := 0
		if loads[0].Parent.SpanID() != handling.SpanContext.SpanID() {
			i = 1
		}
		requireChild(t, handling.SpanContext, loads[i])
		assert.Equal(t, root.SpanContext().TraceID(), loads[i].SpanContext.TraceID())
	}
}

func TestStartOutlivesTheCallItWasCalledFor(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var inStart, inHandler error
		l := lives{before: func(ctx context.Context, _ mailbox.Ref[job]) error {
			_, timed := ctx.Deadline()
			assert.False(t, timed)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
			inStart = ctx.Err()
			return nil
		}}
		ref := spawnFrom(t, sys, l.start, opts...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := mailbox.Call(ctx, ref, func(mailbox.Reply[int]) job {
			return func(ctx context.Context) error {
				inHandler = ctx.Err()
				return nil
			}
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		pass(t, ref)
		require.NoError(t, inStart)
		require.ErrorIs(t, inHandler, context.DeadlineExceeded, "the control")
		assert.Equal(t, 1, l.starts)
		drain(t, sys)
	})
}

func TestKillEndsAStart(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		l := lives{before: func(ctx context.Context, _ mailbox.Ref[job]) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{}, opts...)...)
		sendAll(t, ref, nothings(2)...)
		settle()
		ref.Kill()
		await(t, ref.Done())
		require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
		s := sys.Stats()
		assert.EqualValues(t, 1, s.Failed)
		assert.Equal(t, mailbox.DeadLetters{Killed: 1}, s.DeadLetters)
		assert.Zero(t, s.Restarts)
	})
}

// A Factory may do what a handler may.
func TestStartIsPartOfItsProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var inner error
		l := lives{before: func(ctx context.Context, self mailbox.Ref[job]) error {
			again, ok := mailbox.Self[job](ctx)
			assert.True(t, ok)
			assert.Equal(t, self, again)
			at, ok := mailbox.SentAt(ctx)
			assert.True(t, ok)
			assert.WithinDuration(t, time.Now(), at, 0)
			_, err := mailbox.Call(ctx, self, func(mailbox.Reply[int]) job { return nothing })
			assert.ErrorIs(t, err, mailbox.ErrSelfCall)
			assert.NoError(t, self.Send(ctx, nothing))
			inner = self.Stop(ctx)
			return nil
		}}
		ref := spawnFrom(t, sys, l.start)
		sendAll(t, ref, nothing)
		await(t, ref.Done())
		require.NoError(t, inner)
		assert.Equal(t, []int{1, 2}, l.ages, "the message that came, and then its own")
	})
}

func TestInstanceWithoutSaveIsPassivatedToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start)
		for range 3 {
			sendAll(t, ref, nothings(2)...)
			settle()
			passivate(t, ref)
		}
		assert.Equal(t, []int{1, 2, 1, 2, 1, 2}, l.ages)
		assert.EqualValues(t, 3, sys.Stats().Passivated)
		drain(t, sys)
	})
}

func TestSpawnInstanceNeedsAFactoryAndRestartToo(t *testing.T) {
	sys := newSystem(t)
	kind, err := mailbox.NewKind[job](sys, "worker")
	require.NoError(t, err)
	_, err = kind.SpawnInstance("", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = kind.GetOrSpawn("", nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	for _, opt := range []mailbox.KindOption{
		mailbox.WithErrorPolicy(mailbox.Restart), mailbox.WithPanicPolicy(mailbox.Restart),
	} {
		_, err = mailbox.Spawn(sys, "worker", do, opt)
		require.ErrorIs(t, err, mailbox.ErrConfig)
		kind, err = mailbox.NewKind[job](sys, "worker", opt)
		require.NoError(t, err)
		_, err = kind.Spawn("", do)
		require.ErrorIs(t, err, mailbox.ErrConfig)
	}
	_, err = mailbox.NewKind[job](sys, "worker", mailbox.WithErrorPolicy(mailbox.Restart+1))
	require.ErrorIs(t, err, mailbox.ErrConfig)
	assert.Zero(t, sys.Stats().Processes)
}
