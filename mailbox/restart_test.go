// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
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
		most  float64 // failures
		every time.Duration
		ends  bool
	}{{1.5, time.Minute, false}, {1.5, 10 * time.Second, true}, {-1, 0, false}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sys := newSystem(t)
				ref := spawnFrom(t, sys, startsWith(nothing), restarting(mailbox.RestartPolicy{MaxFailures: test.most})...)
				for range 1000 {
					if ref.Send(t.Context(), fails) != nil {
						break
					}
					time.Sleep(test.every)
				}
				time.Sleep(24 * time.Hour)
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
		time.Sleep(time.Hour) // A shutdown would end the pauses.
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
