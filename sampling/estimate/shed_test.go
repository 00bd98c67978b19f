// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/sampling"
)

// exhausted returns the rate of a group that has chosen as many as its last resort
// allows, for a long time to come.
func exhausted(c sampling.GroupConfig) *spanrate.Rate {
	rate := &spanrate.Rate{}
	for !(planning.Planner{Config: c, Rate: rate}).Plan(1_000_000).Shed {
		continue
	}
	return rate
}

// shedding plays a fan-out through relays that share a budget, every third of which sheds
// its own: the last resort of its group has taken effect. Slow sessions are a stratum.
func shedding(broadcasts []broadcast, hide bool) play {
	inner := sampling.GroupConfig{Curve: sampling.Always(), MaxSpansPerSecond: 1}
	full := exhausted(inner)
	return func(t testing.TB, f *forge) {
		f.castRelays(f.root(t, ""), planning.Planner{Config: limitedTo(100), Random: f.random}, sizesOf(broadcasts),
			func(i int, relay trace.SpanContext, planner planning.Planner) {
				planner.Config, planner.Rate, planner.Now = inner, &spanrate.Rate{}, time.Second
				if i%3 == 0 {
					planner.Rate = full
				}
				values := broadcasts[i]
				plan := planner.Plan(len(values))
				said := plan
				said.Shed = plan.Shed && !hide
				cast, fanout := f.broadcast("broadcast", relay, planner.Above, said), plan.Recipient(0)
				chosen := map[int]bool{}
				for _, j := range plan.Sampled {
					chosen[j] = true
				}
				for j, v := range values {
					slow := v >= slowFrom
					late := keys.LateReason.String("slow")
					switch {
					case slow && chosen[j]:
						f.recipient("session", cast, fanout, v, late, keys.FanoutWeight.Float64(planner.Above.Weight))
					case slow:
						f.span("session", cast, v, late, keys.FanoutWeight.Float64(planner.Above.Weight))
					case chosen[j]:
						f.recipient("session", cast, fanout, v)
					}
				}
			})
	}
}

// Below a relay whose broadcast shed, nobody stands for anybody: that is left out of
// the estimates, and what it comes to is told.
func TestRelaysThatShedAreLeftOut(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	var broadcasts, admitted, shed []broadcast
	random := fixed(18)
	for i := range 60 {
		b := fleet(random, 20+random.IntN(100))[0]
		for i := range b {
			if random.Float64() < 0.05 {
				b[i] = slowFrom + 100*random.ExpFloat64()
			}
		}
		broadcasts = append(broadcasts, b)
		if i%3 == 0 {
			shed = append(shed, b)
		} else {
			admitted = append(admitted, b)
		}
	}
	quantities := func(broadcasts []broadcast) []quantity {
		values := all(broadcasts)
		return []quantity{countOf(len(values)), total(values), mean(values), above(values, slowFrom)}
	}
	const trials = 200
	for name, o := range judge(t, trials, handled(runs(t, 19, shedding(broadcasts, false))), quantities(admitted)...) {
		require.NoError(t, o.unbiased(), name)
		require.NoError(t, o.near(0.05), name)
		require.NoError(t, o.covers(0.88, 1), name)
	}
	t.Run("what was lost", func(t *testing.T) {
		one := runs(t, 19, shedding(broadcasts, false))
		sum := 0.0
		for range trials {
			spans := one()
			require.Zero(t, spans.Named("relay").Shed.Value)
			sum += spans.Named("session").Shed.Value
		}
		require.InEpsilon(t, len(all(shed)), sum/trials, 0.04)
	})
	t.Run("control: those of the stratum are not left out", func(t *testing.T) {
		got := judge(t, trials, handled(runs(t, 19, shedding(broadcasts, true))), quantities(admitted)...)
		for _, name := range []string{"total", "mean", "above"} {
			require.Error(t, got[name].near(0.05), name)
		}
	})
	t.Run("control: the truth of all relays", func(t *testing.T) {
		got := judge(t, trials, handled(runs(t, 19, shedding(broadcasts, false))), quantities(broadcasts)...)
		for _, name := range []string{"count", "total", "above"} {
			require.Error(t, got[name].near(0.05), name)
		}
	})
}
