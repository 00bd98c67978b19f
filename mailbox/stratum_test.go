// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// slowCount has what takes a second count, however many those are.
var slowCount = sampling.Late{SlowerThan: time.Second, CountSlow: true, PerSecond: sampling.Unlimited}

// quarter is a sampling that chooses a quarter of any number.
func quarter(t *testing.T) mailbox.GroupOption {
	t.Helper()
	curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.25})
	require.NoError(t, err)
	return mailbox.WithSampling(sampling.GroupConfig{Curve: curve})
}

// joinSleepers has n processes join, each of a Kind of its own with the name in common,
// that can sleep at the same time.
func joinSleepers(t *testing.T, sys *mailbox.System, group *mailbox.Group[job], n int) {
	t.Helper()
	for range n {
		require.NoError(t, group.Join(spawn(t, sys, "worker", do, mailbox.WithDedicatedGoroutine())))
	}
}

// The slow ones are a stratum: each counts for itself, chosen or not.
func TestStratumOfSlowHandlings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: slowCount})))
		group := newGroup[job](t, sys, "workers", quarter(t))
		const recipients, slow = 400, 100
		joinSleepers(t, sys, group, slow)
		for range recipients - slow {
			require.NoError(t, group.Join(spawn(t, sys, "worker", func(context.Context, job) error { return nil })))
		}
		rec.broadcast(group, sleepFor(2*time.Second))
		time.Sleep(time.Minute)
		var weightOfSlow, weightOfQuick float64
		for _, span := range rec.all("worker job") {
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

// Below another fan-out each counts for what that makes of it, and so do those that a
// relay sends to one by one, if their kinds make no spans.
func TestStratumBelowAFanout(t *testing.T) {
	for _, noSpans := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			const relays, relaysTraced, sessions, sessionsTraced = 8, 2, 10, 3
			rec := record(t)
			sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{NoSpans: noSpans, Late: slowCount})))
			capped := func(k int) sampling.GroupConfig { return sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: k} }
			outer := newGroup[job](t, sys, "relays", mailbox.WithSampling(capped(relaysTraced)))
			for range relays {
				inner := groupOf(t, sys, "session", sessions, capped(sessionsTraced), mailbox.WithDedicatedGoroutine())
				alone := spawn(t, sys, "log", do, mailbox.WithDedicatedGoroutine())
				require.NoError(t, outer.Join(spawn(t, sys, "relay", func(ctx context.Context, j job) error {
					inner.Broadcast(ctx, j)
					return alone.Send(ctx, j)
				})))
			}
			rec.broadcast(outer, sleepFor(time.Minute))
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
			if !noSpans {
				assert.Equal(t, relaysTraced*sessionsTraced, chosen)
			}
			logs := rec.all("log job")
			require.Len(t, logs, relaysTraced)
			for _, span := range logs {
				assert.InDelta(t, relays/relaysTraced, weightOf(t, span), 0)
			}
			drain(t, sys)
		})
	}
}

// Where more are slow than there may be spans of, a share of them counts, for as
// much more, whether the choice of the broadcast fell on them or not.
func TestStratumBeyondItsRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		bounded := slowCount
		bounded.PerSecond = 5
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: bounded})))
		group := newGroup[job](t, sys, "workers", quarter(t))
		const recipients, rounds = 50, 100
		joinSleepers(t, sys, group, recipients)
		for range rounds {
			rec.broadcast(group, sleepFor(2*time.Second))
			time.Sleep(12 * time.Second)
		}
		counted, certain, chosen, weights := 0, 0, 0, 0.0
		for _, span := range rec.all("worker job") {
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
		late := slowCount
		late.Failures, late.QueuedLongerThan = true, time.Minute
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: late})))
		for _, test := range []struct {
			reason string
			do     job
			weight float64
		}{
			{"error", fails, 0},
			{"waited", nothing, 0},
			{"slow", sleepFor(2 * time.Second), 1},
			{"slow", func(ctx context.Context) error { time.Sleep(2 * time.Second); return fails(ctx) }, 1},
		} {
			rec.spans.Reset()
			ref := spawn(t, sys, "worker", do)
			release := keepBusy(t, ref)
			sendSkipped(t, rec, sys, ref, test.do)
			if test.reason == "waited" {
				time.Sleep(time.Hour)
			}
			release()
			time.Sleep(time.Hour)
			attrs := attributes(t, rec.one("worker job"))
			assert.Equal(t, test.reason, attrs[keys.LateReason])
			assert.InDelta(t, test.weight, attrs[keys.FanoutWeight], 0, test.reason)
		}
		drain(t, sys)
	})
}

// A stratum of a kind without spans counts its slow ones all the same: those that
// the choice fell on, those that it skipped, and those that nobody chose.
func TestStratumOfAKindWithoutSpans(t *testing.T) {
	for _, size := range []int{1, 2, 10, 100} {
		for linked, opts := range map[bool][]mailbox.GroupOption{false: nil, true: {mailbox.WithLinkedRoots()}} {
			t.Run(fmt.Sprint(size, " linked ", linked), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					rec := record(t)
					sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{NoSpans: true, Late: slowCount})))
					group := newGroup[job](t, sys, "workers", opts...)
					joinSleepers(t, sys, group, size)
					const casts = 20
					for range casts {
						rec.broadcast(group, sleepFor(2*time.Second))
						time.Sleep(time.Minute)
						rec.broadcast(group, nothing) // Quick ones leave none.
						time.Sleep(time.Minute)
					}
					spans := rec.all("worker job")
					assert.Len(t, spans, casts*size)
					var total float64
					for _, span := range spans {
						assert.Equal(t, "slow", attributes(t, span)[keys.LateReason])
						total += weightOf(t, span)
					}
					assert.InDelta(t, casts*size, total, 0, "exactly")
					drain(t, sys)
				})
			})
		}
	}
}

// What fails in a kind without spans is an exemplar, chosen or not, also if it is
// never handled.
func TestExemplarsOfAKindWithoutSpans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{
			NoSpans: true, Late: sampling.Late{Failures: true, PerSecond: sampling.Unlimited},
		})))
		ref := spawn(t, sys, "worker", do)
		ctx, root := rec.start()
		require.NoError(t, ref.Send(ctx, fails))
		require.NoError(t, ref.Send(ctx, nothing))
		settle()
		ref.Kill()
		settle()
		require.Error(t, ref.Send(ctx, nothing))
		root.End()
		settle()
		spans := rec.all("worker job")
		require.Len(t, spans, 2)
		for i, reason := range []string{"error", "refused_stopped"} {
			attrs := attributes(t, spans[i])
			assert.Equal(t, reason, attrs[keys.LateReason])
			assert.InDelta(t, 0, attrs[keys.FanoutWeight], 0)
			requireChild(t, rec.one("root").SpanContext, spans[i])
		}
		drain(t, sys)
	})
}

// It is the recipient's system that says whether slow handlings are counted: who
// broadcasts, and how, makes no difference, nor do other members.
func TestStratumWhoeverBroadcasts(t *testing.T) {
	for name, test := range map[string]struct {
		senders, members bool // whether their system has a control
		options          []mailbox.SystemOption
		want             int // slow ones counted, of 100 members and of 50 that are the senders'
	}{
		"the same control":       {true, true, nil, 150},
		"only the members'":      {false, true, nil, 100},
		"only the senders'":      {true, false, nil, 50},
		"nobody's":               {false, false, nil, 0},
		"with unsampled headers": {false, true, []mailbox.SystemOption{mailbox.WithCarry(envelope.CarryPolicy{Unsampled: true})}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				system := func(control bool, opts ...mailbox.SystemOption) *mailbox.System {
					if control {
						opts = append(opts, mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: slowCount})))
					}
					return rec.system(opts...)
				}
				members, senders := system(test.members), system(test.senders, test.options...)
				group := newGroup[job](t, senders, "workers", rarely)
				for range 50 {
					joinSleepers(t, members, group, 2)
					joinSleepers(t, senders, group, 1)
				}
				d := rec.broadcast(group, sleepFor(time.Minute))
				assert.Equal(t, mailbox.Delivery{Size: 150, Delivered: 150}, d)
				time.Sleep(time.Hour)
				assert.Len(t, rec.all("worker job"), test.want)
				drain(t, members)
				drain(t, senders)
			})
		})
	}
}
