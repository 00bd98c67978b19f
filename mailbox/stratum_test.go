// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// The slow ones are a stratum: each counts for itself, chosen or not.
func TestStratumOfSlowHandlings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys, _ := controlled(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
		curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.25})
		require.NoError(t, err)
		group := newGroup[time.Duration](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{Curve: curve}))
		const recipients, slow = 400, 100
		for i := range recipients {
			ref := spawn(t, sys, "worker", func(_ context.Context, d time.Duration) error {
				if i < slow {
					time.Sleep(d)
				}
				return nil
			}, mailbox.WithDedicatedGoroutine())
			require.NoError(t, group.Join(ref))
		}
		ctx, root := rec.start()
		group.Broadcast(ctx, 2*time.Second)
		root.End()
		time.Sleep(time.Minute)
		var weightOfSlow, weightOfQuick float64
		for _, span := range rec.all("worker Duration") {
			weight := weightOf(t, span)
			if span.EndTime.Sub(span.StartTime) > time.Second {
				weightOfSlow += weight
			} else {
				weightOfQuick += weight
			}
		}
		assert.InDelta(t, slow, weightOfSlow, 0, "exactly")
		assert.EqualValues(t, slow, sys.Stats().Slow, "as they are counted without spans")
		assert.InDelta(t, recipients-slow, weightOfQuick, 80, "an estimate")
		drain(t, sys)
	})
}

// Below another fan-out each counts for what that makes of it.
func TestStratumBelowAFanout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const relays, relaysTraced, sessions, sessionsTraced = 8, 2, 10, 3
		rec := record(t)
		sys, _ := controlled(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited})
		capped := func(k int) sampling.GroupConfig { return sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: k} }
		outer := newGroup[job](t, sys, "relays", mailbox.WithSampling(capped(relaysTraced)))
		for range relays {
			inner := groupOf(t, sys, "session", sessions, capped(sessionsTraced), mailbox.WithDedicatedGoroutine())
			require.NoError(t, outer.Join(spawn(t, sys, "relay", func(ctx context.Context, j job) error {
				inner.Broadcast(ctx, j)
				return nil
			})))
		}
		ctx, root := rec.start()
		outer.Broadcast(ctx, sleepFor(time.Minute))
		root.End()
		time.Sleep(time.Hour)
		spans := rec.all("session job")
		require.Len(t, spans, relaysTraced*sessions, "all of the relays that were chosen")
		chosen := 0
		for _, span := range spans {
			attrs := attributes(t, span)
			assert.Equal(t, "slow", attrs[keys.LateReason])
			assert.InDelta(t, relays/relaysTraced, weightOf(t, span), 0)
			if _, ok := attrs[keys.FanoutSize]; ok {
				chosen++
			}
		}
		assert.Equal(t, relaysTraced*sessionsTraced, chosen)
		drain(t, sys)
	})
}

// Where more are slow than there may be spans of, a share of them counts, for as
// much more, whether the choice of the broadcast fell on them or not.
func TestStratumBeyondItsRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys, _ := controlled(t, rec, sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: 5})
		curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.25})
		require.NoError(t, err)
		group := newGroup[time.Duration](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{Curve: curve}))
		const recipients, rounds = 50, 100
		for range recipients { // Each of a Kind of its own, which have the name in common.
			require.NoError(t, group.Join(spawn(t, sys, "worker", func(_ context.Context, d time.Duration) error {
				time.Sleep(d)
				return nil
			}, mailbox.WithDedicatedGoroutine())))
		}
		for range rounds {
			ctx, root := rec.start()
			group.Broadcast(ctx, 2*time.Second)
			root.End()
			time.Sleep(12 * time.Second)
		}
		counted, certain, chosen, weights := 0, 0, 0, 0.0
		for _, span := range rec.all("worker Duration") {
			attrs := attributes(t, span)
			require.Equal(t, "slow", attrs[keys.LateReason])
			weight := weightOf(t, span)
			probability, thinned := attrs[keys.LateProbability]
			switch {
			case weight == 0:
				require.False(t, thinned)
				continue
			case thinned:
				require.InEpsilon(t, 1/weight, probability, 1e-9)
				require.Less(t, probability, 1.0)
			default:
				require.InDelta(t, 1, weight, 0)
				certain++
			}
			if _, ok := attrs[keys.FanoutProbability]; ok {
				chosen++
			}
			counted++
			weights += weight
		}
		// Of the i-th in a round 5/i counts: 16.1 of 50 on average.
		assert.InDelta(t, 16.1*rounds, counted, 0.1*16.1*rounds)
		assert.GreaterOrEqual(t, certain, 4*rounds, "those within the rate")
		assert.LessOrEqual(t, certain, 5*rounds)
		assert.InDelta(t, 0.25*float64(counted), float64(chosen), 0.1*float64(counted), "the other choice does not matter")
		// The variance of a round is that of the sum of i/5-1, 207.
		assert.InEpsilon(t, recipients*rounds, weights, 0.2, "seven deviations")
		// Negative control: as if each counted once.
		assert.Greater(t, math.Abs(float64(counted)/(recipients*rounds)-1), 0.2)
		drain(t, sys)
	})
}

// Only what is slow is in a stratum: what failed or waited is an exemplar.
func TestStratumIsOfSlowHandlingsOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys, _ := controlled(t, rec, sampling.Late{
			Failures: true, SlowerThan: time.Second, QueuedLongerThan: time.Minute, CountSlow: true, PerSecond: sampling.Unlimited,
		})
		for reason, weight := range map[string]float64{"error": 0, "waited": 0, "slow": 1} {
			rec.spans.Reset()
			ref := spawn(t, sys, "worker", do)
			switch reason {
			case "error":
				sendSkipped(t, rec, sys, ref, fails)
			case "slow":
				sendSkipped(t, rec, sys, ref, sleepFor(2*time.Second))
			case "waited":
				held, entered, release := hold()
				require.NoError(t, ref.Send(context.Background(), held))
				await(t, entered)
				sendSkipped(t, rec, sys, ref, nothing)
				time.Sleep(time.Hour)
				release()
			}
			time.Sleep(time.Hour)
			attrs := attributes(t, rec.one("worker job"))
			assert.Equal(t, reason, attrs[keys.LateReason])
			assert.InDelta(t, weight, attrs[keys.FanoutWeight], 0, reason)
		}
		drain(t, sys)
	})
}
