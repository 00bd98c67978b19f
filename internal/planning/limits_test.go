// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// A crowd of 1,000 of two kinds: 900 scarce and 80 plentiful, and 20 of none, of which
// half are about a limit that does not exist.
func limitOf(position int) int {
	switch {
	case position < 900:
		return 0
	case position < 980:
		return 1
	case position < 990:
		return 2
	default:
		return -1
	}
}

// groupOf is limitOf, and 2 for those about none.
func groupOf(position int) int { return (limitOf(position) + 3) % 3 }

// chosenOf counts the chosen about each limit, those about none last.
func chosenOf(chosen []int) (counts [3]int) {
	for _, position := range chosen {
		counts[groupOf(position)]++
	}
	return counts
}

// No kind holds back the others, nor itself by more than its own limit says.
func TestLimitsDoNotStarveEachOther(t *testing.T) {
	scarce, plentiful := spanrate.New(time.Second), spanrate.New(time.Second)
	planner := planning.Planner{
		Config: sampling.GroupConfig{Curve: flat(t, 0.5)}, Random: stattest.Fixed(1), LimitOf: limitOf,
		Limits: []planning.Limit{
			{Rate: scarce, SpansPerSecond: 50, Share: 0.9},      // 4,500 wanted
			{Rate: plentiful, SpansPerSecond: 500, Share: 0.08}, // 400 wanted
		},
	}
	var counts [3]int
	const seconds = 60
	for range 10 * seconds {
		planner.Now += time.Second / 10
		p := planner.Plan(1000)
		require.False(t, p.Shed)
		for i, n := range chosenOf(p.Sampled) {
			counts[i] += n
		}
	}
	within := func(want float64, got int) {
		assert.InEpsilon(t, want*seconds, float64(got), 0.2)
	}
	within(50, counts[0])
	within(400, counts[1])
	within(100, counts[2])
}

// What the chosen of each kind stand for makes up for what its limit has held back.
func TestLimitsAreUnbiased(t *testing.T) {
	const trials = 3000
	random := stattest.Fixed(2)
	plan := func() planning.Plan {
		return planning.Planner{
			Config: exactly(100), Random: random, LimitOf: limitOf, Limits: []planning.Limit{
				{Rate: spanrate.New(time.Second), SpansPerSecond: 20, Share: 0.9},
				{Rate: spanrate.New(time.Second), SpansPerSecond: 5, Share: 0.08},
			},
		}.Plan(1000)
	}
	p := plan()
	assert.InDelta(t, 20+5+2, p.Expected, 1e-9)
	assert.InDelta(t, 10, p.Weight(), 1e-9)
	require.NotEmpty(t, p.Sampled)
	for i, position := range p.Sampled {
		f := p.Recipient(i)
		assert.InDelta(t, []float64{10 * 90.0 / 20, 10 * 8.0 / 5, 10}[groupOf(position)], f.Weight, 1e-9)
		assert.InDelta(t, 1, f.Weight*f.Probability, 1e-9)
	}

	total := func(weight func(p planning.Plan, i int) float64) func() float64 {
		return func() float64 {
			p, sum := plan(), 0.0
			for i, position := range p.Sampled {
				sum += float64(position) * weight(p, i)
			}
			return sum
		}
	}
	require.NoError(t, stattest.CheckTotal(999*1000/2, trials, total(func(p planning.Plan, i int) float64 { return p.Recipient(i).Weight })))
	require.Error(t, stattest.CheckTotal(999*1000/2, trials, total(func(p planning.Plan, _ int) float64 { return p.Weight() })),
		"the limits are forgotten")
	require.Error(t, stattest.CheckTotal(999*1000/2, trials, total(func(p planning.Plan, _ int) float64 {
		return float64(p.Size) / float64(len(p.Sampled))
	})), "as if all were alike")
}

// The same through relays of two kinds.
func TestLimitsOfRelaysAreUnbiased(t *testing.T) {
	sizes := make([]int, 40)
	recipients := 0
	for i := range sizes {
		sizes[i] = 1 + i
		recipients += sizes[i]
	}
	of := func(relay int) int { return relay%3 - 1 }
	random := stattest.Fixed(3)
	broadcast := func(factor func(fanout.Fanout) float64) func() float64 {
		return func() float64 {
			relays := planning.Planner{
				Config: exactly(60), Random: random, LimitOf: of, Limits: []planning.Limit{
					{Rate: spanrate.New(time.Second), SpansPerSecond: 5, Share: 1 / 3.},
					{Rate: spanrate.New(time.Second), SpansPerSecond: 15, Share: 1 / 3.},
				},
			}.Relays(sizes)
			var sum float64
			for i, relay := range relays.Sampled {
				above := relays.Recipient(i)
				p := planning.Planner{Config: exactly(1000), Above: above, Random: random}.Plan(sizes[relay])
				sum += float64(len(p.Sampled)) * p.Below(above).Weight * factor(above)
			}
			return sum
		}
	}
	require.NoError(t, stattest.CheckTotal(float64(recipients), 4000, broadcast(func(fanout.Fanout) float64 { return 1 })))
	require.Error(t, stattest.CheckTotal(float64(recipients), 4000, broadcast(func(f fanout.Fanout) float64 {
		return f.Probability * 2
	})), "half of the relays is no share of any limit")
}

// A cap that sheds does not use up the others.
func TestLastResortOfSeveralLimits(t *testing.T) {
	var group, open, scarce spanrate.Rate
	config := exactly(10)
	config.MaxSpansPerSecond = 100
	odd := func(position int) int { return position % 2 }
	planner := planning.Planner{Config: config, Rate: &group, Random: stattest.Fixed(1), LimitOf: odd, Limits: []planning.Limit{
		{Rate: &open, MaxSpansPerSecond: 1000, Share: 0.5},
		{Rate: &scarce, MaxSpansPerSecond: 1e-3, Share: 0.5},
	}}
	assert.False(t, planner.Plan(100).Shed)
	for range 1000 {
		assert.True(t, planner.Plan(100).Shed)
	}
	_, shed := scarce.Shed()
	assert.InDelta(t, 5000, float64(shed), 500, "what was about it")
	planner.Limits = planner.Limits[:1]
	for range 10 { // After 110 of 100 in the second to come.
		assert.False(t, planner.Plan(100).Shed)
	}
	assert.True(t, planner.Plan(100).Shed)
	fanouts, _ := group.Shed()
	assert.EqualValues(t, 1, fanouts)
	fanouts, _ = open.Shed()
	assert.Zero(t, fanouts)
}

// hostile is what a peer may say of a message, however absurd, that [fanout.FromTraceState]
// takes.
var hostile = []fanout.Fanout{
	{Weight: 1, Probability: 1, Size: 1, Depth: 1, Budget: math.MaxInt32, MeanBudget: math.MaxInt32},
	{Weight: 1e15, Probability: 1, Size: 1, Depth: 64, Budget: math.MaxInt32, MeanBudget: math.MaxInt32},
	{Weight: 1e15, Probability: 1e-9, Size: 1, Depth: 64, Budget: 1, MeanBudget: 1e-300},
	{Weight: 2, Probability: 0.5, Size: 2, Depth: 1, Budget: 1001, MeanBudget: 1000.0000001},
	{Weight: 2, Probability: 0.5, Size: 2, Depth: 1, Budget: 2, MeanBudget: 1.0000001},
}

// A peer's budget is never more than what this program would choose by itself.
func TestBudgetsOfPeersKeepToTheCurve(t *testing.T) {
	for _, f := range hostile {
		require.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})), "otherwise this test shows nothing")
		for _, n := range []int{1, 10, 100, 1000, 100_000} {
			own := int(planning.Expected(sampling.GroupConfig{}, n))
			assert.LessOrEqual(t, len(planning.Planner{Above: f}.Plan(n).Sampled), own+1, "%+v of %d", f, n)
			assert.LessOrEqual(t, planning.Planner{Above: f}.Relays([]int{n}).Spans, own+1)
		}
	}
}

// Where this program would choose one in a thousand, a budget does not make it more,
// and its own messages are not held back by those of a peer.
func TestBudgetsOfPeersKeepToSmallShares(t *testing.T) {
	const messages = 100_000
	for _, f := range hostile {
		planner := planning.Planner{
			Config: sampling.GroupConfig{Curve: flat(t, 0.001), SpansPerSecond: 10, MaxSpansPerSecond: 100},
			Rate:   spanrate.New(time.Second), Random: stattest.Fixed(5),
		}
		var theirs, own int
		for range messages {
			planner.Now += time.Millisecond
			planner.Above = f
			theirs += len(planner.Plan(10).Sampled)
			planner.Above = fanout.Fanout{}
			own += len(planner.Plan(10).Sampled)
		}
		const want = messages * 10 * 0.001 / 2 // They share the rate: 20 a second wanted, 10 allowed.
		assert.InDelta(t, want, theirs, 0.3*want, "%+v", f)
		assert.InDelta(t, want, own, 0.3*want, "%+v", f)
	}
}

// Nor do peers defeat a rate, of the group or of a kind, or have a cap shed what
// this program would not have shed.
func TestBudgetsOfPeersKeepToRates(t *testing.T) {
	const perSecond, seconds = 20, 60
	for _, f := range hostile {
		for name, planner := range map[string]planning.Planner{
			"group": {Config: sampling.GroupConfig{SpansPerSecond: perSecond, MaxSpansPerSecond: 5 * perSecond}},
			"kind": {Limits: []planning.Limit{{
				Rate: spanrate.New(time.Second), SpansPerSecond: perSecond, MaxSpansPerSecond: 5 * perSecond, Share: 1,
			}}},
		} {
			for _, relays := range []bool{false, true} {
				planner.Rate, planner.Random = spanrate.New(time.Second), stattest.Fixed(4)
				spans, late := 0, 0
				for i := range 100 * seconds {
					planner.Above, planner.Now = f, planner.Now+time.Second/100
					var chosen int
					if relays {
						chosen = planner.Relays([]int{500, 500}).Spans
					} else {
						chosen = len(planner.Plan(1000).Sampled)
					}
					spans += chosen
					if i >= 100 {
						late += chosen
					}
				}
				assert.InDelta(t, perSecond*seconds, spans, 0.3*perSecond*seconds, "%s %v %+v", name, relays, f)
				fanouts, _ := planner.Rate.Shed()
				assert.Zero(t, fanouts)
				for _, l := range planner.Limits {
					fanouts, _ := l.Rate.Shed()
					assert.Zero(t, fanouts)
				}
				assert.Positive(t, late)
			}
		}
	}
}
