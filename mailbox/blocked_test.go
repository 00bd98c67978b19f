// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// goroutines counts those of all systems' workers and monitors.
func goroutines() int {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("/scheduler.(*worker).run(")) + bytes.Count(stacks, []byte("/scheduler.(*Scheduler).watch("))
}

// awaitNone waits until those of earlier tests are gone, which they are a little
// while after they have become idle.
func awaitNone(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return goroutines() == 0 }, patience, time.Millisecond)
}

// Handlers that block hold nobody else back for long, and the workers that are
// let in for the others are gone when it is over.
func TestOthersGetPastBlockedHandlers(t *testing.T) {
	const (
		blocked = 1000
		// In the bubble's time, whose ticks find a processor busy with the bubble
		// itself: the slower of the monitor's two ways.
		bound = 150 * time.Millisecond
	)
	awaitNone(t)
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		entered := make(chan struct{}, blocked)
		release := make(chan struct{})
		block := func(context.Context) error {
			entered <- struct{}{}
			<-release
			return nil
		}
		elapsed := stopwatch()
		for range blocked {
			require.NoError(t, spawn(t, sys, "blocked", do).Send(t.Context(), block))
		}
		pass(t, spawn(t, sys, "other", do))
		assert.Less(t, elapsed(), bound)
		for range blocked {
			<-entered
		}
		assert.Less(t, elapsed(), bound, "all are in their handlers")

		// Once it is known who is blocked, nobody waits for them any more.
		time.Sleep(bound)
		elapsed = stopwatch()
		pass(t, spawn(t, sys, "other", do))
		assert.Zero(t, elapsed())

		assert.GreaterOrEqual(t, goroutines(), blocked)
		close(release)
		time.Sleep(time.Second)
		settle()
		assert.EqualValues(t, blocked+2, sys.Stats().Handled)
		assert.Zero(t, goroutines(), "an idle system has none")
		drain(t, sys)
	})
}

// A handler that calls another process gives up its worker at once: a chain of
// calls longer than there are workers needs no monitor.
func TestNestedCallsGiveUpTheirWorkers(t *testing.T) {
	type call = mailbox.Reply[int]
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		depth := 10 * runtime.GOMAXPROCS(0)
		last := spawn(t, sys, "last", func(_ context.Context, r call) error {
			r.Answer(0)
			return nil
		})
		for range depth {
			next := last
			last = spawn(t, sys, "link", func(ctx context.Context, r call) error {
				n, err := mailbox.Call(ctx, next, func(r call) call { return r })
				r.Answer(n + 1)
				return err
			})
		}
		elapsed := stopwatch()
		n, err := mailbox.Call(t.Context(), last, func(r call) call { return r })
		require.NoError(t, err)
		assert.Equal(t, depth, n)
		assert.Zero(t, elapsed(), "nobody waited for the monitor")
		drain(t, sys)
	})
}

// A handler that calls, or waits for room, gives up its worker at once, and does
// not take it back: however it goes on, others need no monitor to get past it.
func TestWorkersAreGivenUpForGood(t *testing.T) {
	called := func(t *testing.T, sys *mailbox.System) job {
		t.Helper()
		callee := spawn(t, sys, "callee", do)
		return func(ctx context.Context) error {
			for range 10 { // Once is enough for all of them.
				_, err := mailbox.Call(ctx, callee, func(r mailbox.Reply[int]) job {
					return func(context.Context) error {
						r.Answer(0)
						return nil
					}
				})
				assert.NoError(t, err)
			}
			return nil
		}
	}
	sent := func(t *testing.T, sys *mailbox.System) job {
		t.Helper()
		full, release := fill(t, sys, 1)
		t.Cleanup(release)
		return func(ctx context.Context) error { return full.Send(ctx, nothing) }
	}
	for _, test := range []struct {
		name string
		use  func(t *testing.T, sys *mailbox.System) job
		wait time.Duration // until the handler has got where it is to be
	}{
		{"after calls", called, 0},
		{"after it waited for room", sent, 2 * time.Second},
		{"while it waits for room", sent, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // The system has one worker.
				sys := newSystem(t, mailbox.WithHandlerSendTimeout(time.Second))
				use := test.use(t, sys)
				held, _, release := hold()
				pass(t, spawn(t, sys, "other", do)) // Past what is blocked already.
				require.NoError(t, spawn(t, sys, "user", do).Send(t.Context(), func(ctx context.Context) error {
					return errors.Join(use(ctx), held(ctx))
				}))
				time.Sleep(test.wait)
				settle()
				elapsed := stopwatch()
				pass(t, spawn(t, sys, "other", do))
				assert.Zero(t, elapsed(), "it waited for the monitor")
				release()
			})
		})
	}
}

// A kind with goroutines of its own needs neither.
func TestOwnGoroutinesWaitForNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		release := make(chan struct{})
		elapsed := stopwatch()
		for range 100 {
			require.NoError(t, spawn(t, sys, "blocked", do, mailbox.WithDedicatedGoroutine()).Send(t.Context(),
				func(context.Context) error { <-release; return nil }))
		}
		pass(t, spawn(t, sys, "other", do))
		assert.Zero(t, elapsed())
		close(release)
		drain(t, sys)
		assert.EqualValues(t, 101, sys.Stats().Handled)
	})
}

// A process that is never out of messages lets others have their turn every 64.
func TestBusyProcessLetsOthersHaveTheirTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // The system has one worker.
	sys := newSystem(t)
	other := spawn(t, sys, "other", do)
	endless := spawn(t, sys, "endless", do)
	var turn atomic.Bool
	waits := make(chan int, 1)
	n := 0
	var again job
	again = func(ctx context.Context) error {
		if n == 0 {
			assert.NoError(t, other.Send(ctx, func(context.Context) error {
				turn.Store(true)
				return nil
			}))
		}
		n++
		if turn.Load() || n > 10_000 {
			waits <- n
			return nil
		}
		return endless.Send(ctx, again)
	}
	require.NoError(t, endless.Send(t.Context(), again))
	assert.LessOrEqual(t, await(t, waits), 2*64)
	drain(t, sys)
}
