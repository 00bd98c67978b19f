// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// relays are fan-outs below a fan-out. Some are slow as a whole, so that what
// their sessions measure is alike.
func relays(random *rand.Rand, n int) (broadcasts []broadcast) {
	for range n {
		slow := math.Exp(0.4 * random.NormFloat64())
		b := make(broadcast, 60+random.IntN(80))
		for i := range b {
			b[i] = slow * math.Exp(0.4*random.NormFloat64())
		}
		broadcasts = append(broadcasts, b)
	}
	return broadcasts
}

func capped(k int) sampling.Config { return sampling.Config{Curve: sampling.Always(), MaxSpans: k} }

// nested returns a function that chooses relays and then sessions.
func nested(
	outer, inner sampling.Config, seed uint64, broadcasts []broadcast,
	add func(s *estimate.Sample, value, weight float64, outer, inner estimate.Stage),
) func() *estimate.Sample {
	random := fixed(seed)
	return func() *estimate.Sample {
		s := &estimate.Sample{}
		plan := outer.Plan(len(broadcasts), random)
		relay := sampling.Fanout{}.Recipient(plan)
		first := estimate.StageOf("guild", relay.Attributes(nil))
		for _, i := range plan.Chosen {
			plan := inner.Plan(len(broadcasts[i]), random)
			session := relay.Recipient(plan)
			second := estimate.StageOf(strconv.Itoa(i), session.Attributes(nil))
			for _, j := range plan.Chosen {
				add(s, broadcasts[i][j], session.Weight, first, second)
			}
		}
		return s
	}
}

func TestNestedStandardErrorsAreHonest(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	broadcasts := relays(fixed(1), 100)
	values := all(broadcasts)
	wanted := []quantity{count(len(values)), total(values), mean(values)}
	sample := func(outer int, add func(s *estimate.Sample, value, weight float64, outer, inner estimate.Stage)) func() *estimate.Sample {
		return nested(capped(outer), capped(5), 6, broadcasts, add)
	}
	both := func(s *estimate.Sample, value, weight float64, outer, inner estimate.Stage) {
		s.Add(value, weight, outer, inner)
	}
	nearest := func(s *estimate.Sample, value, weight float64, _, inner estimate.Stage) {
		s.Add(value, weight, inner)
	}

	t.Run("both stages", func(t *testing.T) {
		for name, o := range judge(t, 2000, sample(30, both), wanted...) {
			require.NoError(t, o.honest(0.94, 1.06), name)
			require.NoError(t, o.covers(0.91, 0.97), name)
			require.NoError(t, o.near(0.01), name)
		}
	})
	t.Run("all relays, some sessions", func(t *testing.T) {
		for name, o := range judge(t, 1000, sample(100, both), wanted[1:]...) {
			require.NoError(t, o.honest(0.93, 1.07), name)
			require.NoError(t, o.covers(0.92, 0.975), name)
		}
	})
	t.Run("nearest stage only", func(t *testing.T) { // A relay is one draw.
		got := judge(t, 2000, sample(30, nearest), wanted...)
		require.NoError(t, got["total"].honest(1, 3))
		require.NoError(t, got["total"].covers(0.95, 1))
		require.NoError(t, got["mean"].honest(0.97, 1.4))
		require.NoError(t, got["mean"].covers(0.92, 0.99))
	})
	t.Run("control: as if all were drawn alone", func(t *testing.T) {
		got := judge(t, 1000, sample(30, func(s *estimate.Sample, value, weight float64, _, _ estimate.Stage) {
			s.Add(value, weight)
		}), wanted...)
		require.Error(t, got["mean"].honest(0.94, 1.06))
		require.Error(t, got["mean"].covers(0.91, 0.97))
	})
}

// A sampler keeps a share of the traces, in each of which is a broadcast.
func TestSampledTracesAreOneDrawEach(t *testing.T) {
	const share = 0.25
	traces := relays(fixed(2), 200)
	values := all(traces)
	random := fixed(15)
	sample := func(stageOf func(trace string) estimate.Stage) func() *estimate.Sample {
		return func() *estimate.Sample {
			s := &estimate.Sample{}
			for i, broadcast := range traces {
				if random.Float64() >= share {
					continue
				}
				plan := sampling.Config{}.Plan(len(broadcast), random)
				for _, j := range plan.Chosen {
					s.Add(broadcast[j], plan.Weight()/share, stageOf(strconv.Itoa(i)))
				}
			}
			return s
		}
	}
	wanted := []quantity{count(len(values)), total(values), mean(values)}
	got := judge(t, 1000, sample(func(trace string) estimate.Stage { return estimate.Stage{Fanout: trace} }), wanted...)
	for name, o := range got {
		require.NoError(t, o.honest(0.94, 1.3), name)
		require.NoError(t, o.covers(0.92, 0.99), name)
	}
	// Negative control: as if spans had been drawn, not traces.
	got = judge(t, 1000, sample(func(string) estimate.Stage { return estimate.Stage{} }), wanted...)
	require.Error(t, got["total"].honest(0.94, 1.3))
	require.Error(t, got["total"].covers(0.92, 0.99))
}

// The variance of two stages, on numbers small enough to follow: that between
// relays, and a part of that within each (Cochran, 1977, chapter 11).
func TestTwoStagesByTheTextbook(t *testing.T) {
	const relaysAll, relaysChosen = 10, 2
	sessions := []struct {
		size   int
		values []float64
	}{{6, []float64{3, 5, 4}}, {8, []float64{10, 6}}}
	var s estimate.Sample
	var totals []float64
	want := 0.0
	for i, relay := range sessions {
		k := len(relay.values)
		share := float64(k) / float64(relay.size)
		for _, v := range relay.values {
			s.Add(v, relaysAll/relaysChosen/share,
				estimate.Stage{Fanout: "guild", Size: relaysAll, Chosen: relaysChosen},
				estimate.Stage{Fanout: strconv.Itoa(i), Size: relay.size, Chosen: k})
		}
		totals = append(totals, sum(relay.values)/share)
		within := float64(relay.size*relay.size) * (1 - share) * variance(relay.values) / float64(k)
		want += relaysAll / relaysChosen * within
	}
	want += relaysAll * relaysAll * (1 - float64(relaysChosen)/relaysAll) * variance(totals) / relaysChosen
	assert.InDelta(t, relaysAll/relaysChosen*sum(totals), s.Total().Value, 1e-9)
	assert.InDelta(t, math.Sqrt(want), s.Total().StdErr, 1e-9)
}

func variance(values []float64) (v float64) {
	m := sum(values) / float64(len(values))
	for _, x := range values {
		v += (x - m) * (x - m) / float64(len(values)-1)
	}
	return v
}
