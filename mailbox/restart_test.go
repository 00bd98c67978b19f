// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
)

func TestRestartBeginsAnewAndLosesNothing(t *testing.T) {
	for name, fault := range map[string]job{
		"error": fails, "panic": panics, "Goexit": exits, "Goexit in a panic": exitsPanicking,
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				var l lives
				ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{}, opts...)...)
				var order []int
				var at []time.Duration
				elapsed := stopwatch()
				for i := range 10 {
					sendAll(t, ref, func(ctx context.Context) error {
						order, at = append(order, i), append(at, elapsed())
						if i == 3 {
							return fault(ctx)
						}
						return nil
					})
				}
				drainWhenQuiet(t, sys)
				assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order)
				assert.Equal(t, []int{1, 2, 3, 4, 1, 2, 3, 4, 5, 6}, l.ages)
				assert.Zero(t, at[3])
				assert.InDelta(t, 100*time.Millisecond, at[4], float64(50*time.Millisecond))
				assert.Equal(t, at[4], at[9])
				s := sys.Stats()
				assert.EqualValues(t, 1, s.Restarts)
				assert.EqualValues(t, 1, s.Failed)
				assert.EqualValues(t, 9, s.Handled)
				requireAtRest(t, s)
			})
		})
	}
}

// drainWhenQuiet shuts sys down after any back-off, which a shutdown would end.
func drainWhenQuiet(t *testing.T, sys *mailbox.System) {
	t.Helper()
	time.Sleep(time.Hour)
	settle()
	drain(t, sys)
}

// The time between one failure and the next message grows with the failures,
// and covers all that it may be and no more.
func TestBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		nominal := []float64{0.1, 0.2, 0.4, 0.8, 1, 1} // s
		least, most := slices.Repeat([]float64{2}, len(nominal)), make([]float64, len(nominal))
		for range 300 { // Alike, each with its own luck.
			ref := spawnFrom(t, sys, startsWith(nothing), restarting(mailbox.RestartPolicy{
				MaxFailures: 1000, Decay: math.MaxInt64, MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second,
			})...)
			elapsed := stopwatch()
			for i := range nominal {
				sendAll(t, ref, fails)
				before := elapsed()
				pass(t, ref)
				part := (elapsed() - before).Seconds() / nominal[i]
				least[i], most[i] = min(least[i], part), max(most[i], part)
			}
		}
		for i := range nominal { // Off by more than 0.05 once in 10^6 runs.
			assert.InDelta(t, 0.525, least[i], 0.025, "failure %d", i+1)
			assert.InDelta(t, 1.475, most[i], 0.025, "failure %d", i+1)
		}
	})
}

// How often is too often depends on the time between: the count decays.
func TestRareFailuresAreNeverTooMany(t *testing.T) {
	for _, test := range []struct {
		every time.Duration
		ends  bool
	}{{time.Minute, false}, {10 * time.Second, true}} {
		t.Run(test.every.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawnFrom(t, sys, startsWith(nothing), restarting(mailbox.RestartPolicy{MaxFailures: 1.5})...)
				for range 1000 {
					if ref.Send(t.Context(), fails) != nil {
						break
					}
					time.Sleep(test.every)
				}
				settle()
				if test.ends {
					require.ErrorIs(t, ref.Err(), mailbox.ErrTooManyRestarts)
					assert.EqualValues(t, 2, sys.Stats().Failed)
					return
				}
				require.NoError(t, ref.Err())
				assert.EqualValues(t, 1000, sys.Stats().Restarts)
				elapsed := stopwatch()
				sendAll(t, ref, fails)
				pass(t, ref)
				assert.Less(t, elapsed(), 200*time.Millisecond, "the back-off decays as well")
			})
		})
	}
}

func TestGivenUp(t *testing.T) {
	for name, fault := range map[string]job{"error": fails, "panic": panics} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				var l lives
				ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{MaxFailures: 2.5}, opts...)...)
				sendAll(t, ref, slices.Concat(slices.Repeat([]job{fault}, 3), nothings(1))...)
				_, err := mailbox.Call(t.Context(), ref, func(mailbox.Reply[int]) job { return nothing })
				require.ErrorIs(t, err, mailbox.ErrStopped)
				await(t, ref.Done())
				require.ErrorIs(t, ref.Err(), mailbox.ErrTooManyRestarts)
				require.ErrorIs(t, ref.Err(), errSpilt, "and why")
				assert.Equal(t, 3, l.starts)
				s := sys.Stats()
				assert.EqualValues(t, 3, s.Failed)
				assert.Equal(t, mailbox.DeadLetters{Failed: 2}, s.DeadLetters)
				assert.EqualValues(t, 2, s.Restarts)
				requireAtRest(t, s)
			})
		})
	}
}

// inBackoff returns a process that waits out a long back-off, with five messages.
func inBackoff(t *testing.T, sys *mailbox.System, l *lives, opts ...mailbox.KindOption) mailbox.Ref[job] {
	t.Helper()
	ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{MinBackoff: 24 * time.Hour}, opts...)...)
	sendAll(t, ref, fails)
	sendAll(t, ref, nothings(4)...)
	time.Sleep(time.Minute)
	sendAll(t, ref, nothing)
	settle()
	require.EqualValues(t, 5, sys.Stats().Queued)
	return ref
}

func TestBackoffEndsWithTheProcess(t *testing.T) {
	stop := func(ref mailbox.Ref[job], _ *mailbox.System) error { return ref.Stop(context.Background()) }
	for name, test := range map[string]struct {
		end    func(ref mailbox.Ref[job], sys *mailbox.System) error
		killed bool
	}{
		"stop": {stop, false},
		"shutdown": {func(_ mailbox.Ref[job], sys *mailbox.System) error {
			return sys.Shutdown(context.Background())
		}, false},
		"kill": {func(ref mailbox.Ref[job], _ *mailbox.System) error { ref.Kill(); return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, opts ...mailbox.KindOption) {
				sys := newSystem(t)
				var l lives
				ref := inBackoff(t, sys, &l, opts...)
				elapsed := stopwatch()
				require.NoError(t, test.end(ref, sys))
				await(t, ref.Done())
				assert.Zero(t, elapsed(), "the back-off was waited out")
				s := sys.Stats()
				if test.killed {
					require.ErrorIs(t, ref.Err(), mailbox.ErrKilled)
					assert.Equal(t, mailbox.DeadLetters{Killed: 5}, s.DeadLetters)
				} else {
					require.NoError(t, ref.Err())
					assert.EqualValues(t, 5, s.Handled)
					assert.Equal(t, []int{1, 1, 2, 3, 4, 5}, l.ages)
				}
				requireAtRest(t, s)
				time.Sleep(48 * time.Hour)
				settle()
				assert.Equal(t, s, sys.Stats(), "the back-off came to its end for nobody")
			})
		})
	}
}

func TestShutdownCutShortInABackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		held, entered, release := hold()
		var l lives
		ref := inBackoff(t, sys, &l)
		newest := spawn(t, sys, "worker", do) // The shutdown does not get beyond it.
		sendAll(t, newest, held)
		await(t, entered)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var cut *mailbox.ShutdownError
		require.ErrorAs(t, sys.Shutdown(ctx), &cut)
		assert.Equal(t, 1, cut.Busy)
		assert.EqualValues(t, 5, cut.DeadLetters)
		release()
		await(t, ref.Done())
	})
}

func TestStoppingProcessFailsWithoutBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{MinBackoff: time.Hour})...)
		sendAll(t, ref, fails, exits, nothing)
		settle()
		elapsed := stopwatch()
		require.NoError(t, ref.Stop(t.Context()))
		assert.Zero(t, elapsed())
		assert.Equal(t, []int{1, 1, 1}, l.ages)
		assert.EqualValues(t, 2, sys.Stats().Restarts)
	})
}

func TestMailboxIsBoundedDuringABackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		var l lives
		ref := inBackoff(t, sys, &l, mailbox.WithCapacity(5))
		require.ErrorIs(t, ref.TrySend(t.Context(), nothing), mailbox.ErrFull)
		sent := inBackground(func() error { return ref.Send(t.Context(), nothing) })
		settle()
		assert.Empty(t, sent)
		time.Sleep(36 * time.Hour)
		settle()
		require.NoError(t, <-sent)
		assert.Equal(t, []int{1, 1, 2, 3, 4, 5, 6}, l.ages)
	})
}

func TestCallsLeftByAFailedInstanceFail(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var l lives
		ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{}, opts...)...)
		var kept mailbox.Reply[int]
		leave := func(r mailbox.Reply[int]) job {
			return func(context.Context) error { kept = r; return nil }
		}
		left := inBackground(func() error { _, err := mailbox.Call(t.Context(), ref, leave); return err })
		settle()
		require.Empty(t, left)
		sendAll(t, ref, fails)
		answered := inBackground(func() error {
			_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) job {
				return func(context.Context) error { r.Answer(1); return nil }
			})
			return err
		})
		settle()
		require.Len(t, left, 1, "it waits for the back-off, or for ever")
		require.ErrorIs(t, <-left, errSpilt)
		assert.False(t, kept.Answer(1))
		require.Empty(t, answered)
		require.NoError(t, await(t, answered), "it was not in the hands of the one that failed")
		drain(t, sys)
	})
}

func TestTimersOfAFailedInstanceStop(t *testing.T) {
	both(t, func(t *testing.T, opts ...mailbox.KindOption) {
		sys := newSystem(t)
		var own, others int
		count := func(n *int) job { return func(context.Context) error { *n++; return nil } }
		l := lives{before: func(ctx context.Context, self mailbox.Ref[job]) error {
			self.SendEvery(ctx, time.Minute, count(&own))
			return nil
		}}
		ref := spawnFrom(t, sys, l.start, restarting(mailbox.RestartPolicy{}, opts...)...)
		other := spawn(t, sys, "other", do)
		sendAll(t, other, func(ctx context.Context) error { // In a handler, but not in its own.
			ref.SendEvery(ctx, time.Minute, count(&others))
			return nil
		})
		ref.SendAfter(t.Context(), 90*time.Second, count(&others))
		var once *mailbox.Timer
		sendAll(t, ref, func(ctx context.Context) error {
			once = ref.SendAfter(ctx, time.Minute, count(&own))
			return nil
		}, fails)
		settle()
		assert.False(t, once.Stop(), "it stopped with its instance")
		time.Sleep(10*time.Minute + time.Second)
		settle()
		assert.Equal(t, 11, others)
		assert.Equal(t, 9, own, "begun again with the first message after the failure")
		assert.Equal(t, 2, l.starts)
	})
}

func TestRestartsThatMakeNoSense(t *testing.T) {
	sys := newSystem(t)
	for _, r := range []mailbox.RestartPolicy{
		{MaxFailures: math.NaN()}, {Decay: -1}, {MinBackoff: -1}, {MaxBackoff: -1},
		{MinBackoff: 2, MaxBackoff: 1},
	} {
		_, err := mailbox.NewKind[job](sys, "worker", mailbox.WithRestartPolicy(r))
		assert.ErrorIs(t, err, mailbox.ErrConfig, "%+v", r)
	}
	for _, r := range []mailbox.RestartPolicy{{}, {MaxFailures: math.Inf(1)}, {MinBackoff: time.Hour}, {MaxBackoff: 1}} {
		_, err := mailbox.NewKind[job](sys, "worker", mailbox.WithRestartPolicy(r))
		assert.NoError(t, err, "%+v", r)
	}
}

// The first span after a restart leads to the one that failed.
func TestRestartLink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		ref := spawnFrom(t, sys, startsWith(nothing), restarting(mailbox.RestartPolicy{MaxFailures: 100})...)
		ctx, root := rec.start()
		none := t.Context()
		for _, step := range []struct {
			ctx context.Context
			do  job
		}{
			{ctx, nothing}, {ctx, fails}, // Spans 0 and 1,
			{none, nothing},                             // one that has no span to link from,
			{ctx, nothing}, {ctx, panics}, {ctx, exits}, // 2, 3 and 4,
			{ctx, nothing}, {ctx, nothing}, // 5 and 6,
			{none, fails},                // one that has no span to link to,
			{ctx, nothing}, {ctx, fails}, // 7 and 8,
			{none, fails},  // and one that hides the one before it
			{ctx, nothing}, // from 9.
		} {
			require.NoError(t, ref.Send(step.ctx, step.do))
		}
		root.End()
		drainWhenQuiet(t, sys)
		spans := rec.all("worker job")
		require.Len(t, spans, 10)
		leadsTo := map[int]int{2: 1, 4: 3, 5: 4}
		for i, span := range spans {
			var links []sdktrace.Link
			if to, ok := leadsTo[i]; ok {
				links = []sdktrace.Link{{
					SpanContext: spans[to].SpanContext,
					Attributes:  []attribute.KeyValue{keys.LinkReason.String("restart")},
				}}
			}
			assert.Equal(t, links, span.Links, "span %d", i)
		}
	})
}

// A negative MaxFailures is no limit.
func TestRestartsWithoutALimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sys := newSystem(t)
		ref := spawnFrom(t, sys, func(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
			return mailbox.Instance[job]{Handle: do}, nil
		}, mailbox.WithErrorPolicy(mailbox.Restart),
			mailbox.WithRestartPolicy(mailbox.RestartPolicy{MaxFailures: -1, MaxBackoff: time.Millisecond}))
		for range 1000 {
			require.NoError(t, ref.Send(t.Context(), func(context.Context) error { return errSpilt }))
		}
		drain(t, sys)
		require.NoError(t, ref.Err())
		assert.EqualValues(t, 1000, sys.Stats().Failed)
		assert.EqualValues(t, 1000, sys.Stats().Restarts)
	})
}
