// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

func TestRelays(t *testing.T) {
	sizes := []int{10, 0, 50, -3, 40}
	plan := planning.Planner{Config: exactly(20), Random: stattest.Fixed(1)}.Relays(sizes)
	assert.Equal(t, 5, plan.Size)
	assert.Equal(t, 100, plan.Total)
	assert.Equal(t, 20, plan.Spans)
	assert.InDelta(t, 20, plan.Expected, 0)
	assert.Equal(t, []int{0, 2, 4}, plan.Sampled)
	for i, share := range []int{2, 10, 8} { // Whole shares leave nothing to chance.
		want := fanout.Fanout{Weight: 1, Probability: 1, Size: 5, Depth: 1, Budget: share, MeanBudget: float64(share)}
		assert.Equal(t, want, plan.Recipient(i))
	}

	small := planning.Planner{Config: exactly(1), Random: stattest.Fixed(1)}.Relays([]int{25, 25, 25, 25})
	require.Len(t, small.Sampled, 1)
	relay := small.Recipient(0)
	assert.Equal(t, fanout.Fanout{Weight: 4, Probability: 0.25, Size: 4, Depth: 1, Budget: 1, MeanBudget: 0.25}, relay,
		"the relay's own span stands for four")
	p := planning.Planner{Above: relay, Random: stattest.Fixed(1)}.Plan(25)
	leaf := p.Recipient(0)
	assert.Equal(t, fanout.Fanout{Weight: 100, Probability: 0.04, Size: 25, Depth: 2}, leaf, "and its recipient for a hundred")
	p = planning.Planner{Above: relay, Random: stattest.Fixed(1)}.Plan(7)
	leaf = p.Recipient(0)
	assert.InDelta(t, 28, leaf.Weight, 0, "whatever was announced")

	above := fanout.Fanout{Weight: 3, Probability: 0.5, Size: 9, Depth: 2, Budget: 7, MeanBudget: 6.5}
	for n, k := range map[int]int{0: 0, 1: 1, 6: 6, 7: 7, 1000: 7} {
		p := planning.Planner{Above: above, Config: sampling.GroupConfig{Curve: sampling.Always()}}.Plan(n)
		assert.Len(t, p.Sampled, k, "%d", n)
		assert.InDelta(t, p.Expected, min(6.5, float64(n)), 0)
	}
	p = planning.Planner{Above: above}.Plan(1000)
	assert.InDelta(t, 1000/6.5, p.Weight(), 0, "not 1000/7: it might have been 6")
	p = planning.Planner{Above: above, Config: sampling.GroupConfig{MaxSpans: 4}}.Plan(1000)
	assert.Len(t, p.Sampled, 4, "a cap of its own holds")
	assert.InDelta(t, 250, p.Weight(), 0)

	for _, sizes := range [][]int{nil, {}, {0}, {0, -1}} {
		none := planning.Planner{}.Relays(sizes)
		assert.Empty(t, none.Sampled)
		assert.Zero(t, none.Spans)
	}
	huge := planning.Planner{Config: sampling.GroupConfig{Curve: sampling.Always()}}.Relays([]int{math.MaxInt, math.MaxInt, 1})
	for i := range huge.Sampled {
		f := huge.Recipient(i)
		assert.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})), "within the bounds")
	}
}

// TestWeightAndProbabilityGiveTheFanoutsOwnWeight: what late spans go by, which
// stand for as many as the fan-out's own span.
func TestWeightAndProbabilityGiveTheFanoutsOwnWeight(t *testing.T) {
	random := stattest.Seeded(t)
	for range 300 {
		sizes := make([]int, 1+random.IntN(20))
		for i := range sizes {
			sizes[i] = random.IntN(60)
		}
		f := fanout.Fanout{}
		planner := planning.Planner{Config: exactly(1 + random.IntN(100)), Random: random}
		for range 3 {
			plan := planner.Relays(sizes)
			if len(plan.Sampled) == 0 {
				break
			}
			relay := plan.Recipient(random.IntN(len(plan.Sampled)))
			require.InEpsilon(t, max(f.Weight, 1), relay.Weight*relay.Probability, 1e-12)
			f, planner.Above = relay, relay
			p := planner.Plan(1 + random.IntN(99))
			leaf := p.Recipient(0)
			require.InEpsilon(t, f.Weight, leaf.Weight*leaf.Probability, 1e-12)
			require.Zero(t, leaf.Budget, "it is used up")
		}
	}
}

// constant is a source of one number only.
type constant uint64

func (c constant) Uint64() uint64 { return uint64(c) }

// TestRelaysAtTheEdges: where chance falls on the very ends of its range, rounding
// must neither lose nor add a span, nor make a share that is out of bounds.
func TestRelaysAtTheEdges(t *testing.T) {
	random := stattest.Seeded(t)
	for range 5000 {
		sizes := make([]int, 1+random.IntN(6))
		total := 0
		for i := range sizes {
			sizes[i] = 1 + random.IntN(1000)
			total += sizes[i]
		}
		above := fanout.Fanout{Weight: 1, Probability: 1, Size: 1, Depth: 1, MeanBudget: 30 * math.Pow(random.Float64(), 3)}
		above.Budget = max(int(above.MeanBudget)+random.IntN(2), 1)
		for _, source := range []constant{0, 1 << 11, 1<<64 - 1, 1 << 63} {
			plan := planning.Planner{
				Config: sampling.GroupConfig{Curve: sampling.Always()}, Above: above, Random: rand.New(source),
			}.Relays(sizes)
			spans := 0
			for i := range plan.Sampled {
				f := plan.Recipient(i)
				spans += f.Budget
				require.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})))
			}
			require.Equal(t, min(above.Budget, total), spans)
		}
	}
}

func TestRelaysAllocations(t *testing.T) {
	sizes := make([]int, 1000)
	for i := range sizes {
		sizes[i] = i
	}
	planner := planning.Planner{Config: exactly(100), Random: stattest.Fixed(1)}
	assert.InDelta(t, 2, testing.AllocsPerRun(50, func() { _ = planner.Relays(sizes) }), 0, "what it returns")
	planner.Config = sampling.GroupConfig{Curve: flat(t, 1e-9)}
	assert.Zero(t, testing.AllocsPerRun(50, func() { _ = planner.Relays(sizes) }))
	planner.Above = fanout.Fanout{Weight: 3, Probability: 0.5, Size: 9, Depth: 2, Budget: 7, MeanBudget: 6.5}
	assert.InDelta(t, 1, testing.AllocsPerRun(50, func() { _ = planner.Plan(1000) }), 0)
}
