// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// lives makes instances that do jobs, with state that is worth to be saved. It uses
// no lock on purpose: the race detector sees whether two run at once.
type lives struct {
	before func(ctx context.Context, self mailbox.Ref[job]) error // of a start
	save   job                                                    // may fail

	starts int
	ages   []int               // of each message, the how-many-eth of its instance it was
	saved  int                 // how many messages there had been when it was saved
	state  weak.Pointer[cargo] // of the last instance
}

func (l *lives) start(ctx context.Context, self mailbox.Ref[job]) (mailbox.Instance[job], error) {
	l.starts++
	if l.before != nil {
		if err := l.before(ctx, self); err != nil {
			return mailbox.Instance[job]{}, err
		}
	}
	state, age := new(cargo), 0
	l.state = weak.Make(state)
	return mailbox.Instance[job]{
		Handle: func(ctx context.Context, j job) error {
			defer runtime.KeepAlive(state)
			age++
			l.ages = append(l.ages, age)
			return j(ctx)
		},
		Save: func(ctx context.Context) error {
			if err := perhaps(ctx, l.save); err != nil {
				return err
			}
			l.saved = len(l.ages)
			return nil
		},
	}, nil
}

// spawnFrom starts a process of a kind called worker.
func spawnFrom[M any](
	t testing.TB, sys *mailbox.System, start mailbox.Factory[M], opts ...mailbox.KindOption,
) mailbox.Ref[M] {
	t.Helper()
	ref, err := newKind[M](t, sys, "worker", opts...).SpawnInstance("seven", start)
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

func startsWith(fault job) mailbox.Factory[job] {
	l := lives{before: func(ctx context.Context, _ mailbox.Ref[job]) error { return fault(ctx) }}
	return l.start
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
			rec.startSpan(ctx, "load")
			starts.Add(1)
			return nil
		}))
	}
	ctx, root := rec.start()
	require.NoError(t, start().Send(ctx, nothing))
	_, err := call(ctx, start(), answer)
	require.NoError(t, err)
	require.NoError(t, start().Send(t.Context(), nothing))
	root.End()
	drain(t, sys)
	require.EqualValues(t, 3, starts.Load())
	loads := rec.all("load")
	require.Len(t, loads, 2, "the third message had no trace")
	var parents, handlings []trace.SpanID
	for i, handling := range rec.all("worker job") {
		handlings = append(handlings, handling.SpanContext.SpanID())
		parents = append(parents, loads[i].Parent.SpanID())
		assert.Equal(t, root.SpanContext().TraceID(), loads[i].SpanContext.TraceID())
	}
	assert.ElementsMatch(t, handlings, parents)
}

func TestStartOutlivesTheCallItWasCalledFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := lives{before: func(ctx context.Context, _ mailbox.Ref[job]) error {
			time.Sleep(time.Minute)
			return ctx.Err()
		}}
		ref := spawnFrom(t, newSystem(t), l.start)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call(ctx, ref, answer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		pass(t, ref)
		assert.Equal(t, 1, l.starts)
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
			_, err := call(ctx, self, answer)
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
