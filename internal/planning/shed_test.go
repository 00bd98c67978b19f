// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

func TestLastResort(t *testing.T) {
	config := exactly(30)
	config.MaxSpansPerSecond = 10
	rate := &spanrate.Rate{}
	plan := func(now time.Duration) planning.Plan {
		return planning.Planner{Config: config, Rate: rate, Now: now, Random: stattest.Fixed(1)}.Plan(300)
	}
	first := plan(time.Minute)
	assert.Len(t, first.Sampled, 30, "what is asked for does not matter, only what was admitted")
	assert.False(t, first.Shed)

	second := plan(time.Minute + 1999*time.Millisecond)
	assert.Empty(t, second.Sampled)
	assert.True(t, second.Shed)
	assert.InDelta(t, 30, second.Expected, 0)

	relays := planning.Planner{Config: config, Rate: rate, Now: time.Minute}.Relays([]int{100, 200})
	assert.True(t, relays.Shed)
	assert.Empty(t, relays.Sampled)
	assert.Zero(t, relays.Spans)

	above := fanout.Fanout{Weight: 3, Probability: 0.5, Size: 9, Depth: 2, Budget: 7, MeanBudget: 6.5}
	below := planning.Planner{Config: config, Above: above, Rate: rate, Now: time.Minute}.Plan(100)
	assert.True(t, below.Shed, "a budget from elsewhere does not help")

	fanouts, spans := rate.Shed()
	assert.EqualValues(t, 3, fanouts)
	assert.EqualValues(t, 30+30+7, spans)
	assert.Len(t, plan(time.Minute+2*time.Second).Sampled, 30, "within a second of being paid back")

	fanouts, spans = (*spanrate.Rate)(nil).Shed()
	assert.Zero(t, fanouts+spans)
	assert.Len(t, planning.Planner{Config: config, Now: time.Minute}.Plan(300).Sampled, 30, "nobody counts")
	config.MaxSpansPerSecond = math.SmallestNonzeroFloat64
	assert.Len(t, plan(time.Hour).Sampled, 30)
	assert.True(t, plan(2*time.Hour).Shed, "for ever")
}

// overloaded plays fan-outs to n recipients, of which a quarter of one is chosen
// each, against a cap of a fifth of that. It returns the spans per second and the
// estimated sum of all weights over the true one, both among fan-outs that were
// admitted.
func overloaded(t *testing.T, admitted func(planning.Plan) bool) (perSecond, estimate float64) {
	t.Helper()
	const n, seconds = 100, 4000
	config := sampling.GroupConfig{Curve: flat(t, 0.25/n), MaxSpansPerSecond: 5}
	planner := planning.Planner{Config: config, Rate: &spanrate.Rate{}, Random: stattest.Fixed(51)}
	var spans, truth float64
	for planner.Now < seconds*time.Second {
		planner.Now += time.Duration(float64(10*time.Millisecond) * planner.Random.ExpFloat64())
		p := planner.Plan(n)
		spans += float64(len(p.Sampled))
		if admitted(p) {
			truth += n
			estimate += float64(len(p.Sampled)) * p.Weight()
		}
	}
	return spans / seconds, estimate / truth
}

func TestWhatIsAdmittedStaysUnbiased(t *testing.T) {
	perSecond, estimate := overloaded(t, func(p planning.Plan) bool { return !p.Shed })
	assert.InDelta(t, 5, perSecond, 0.05)
	assert.InDelta(t, 1, estimate, 0.05) // 20,000 of a quarter: a deviation of 0.7 %.

	// Negative control: those shed are not left out.
	_, estimate = overloaded(t, func(planning.Plan) bool { return true })
	assert.Less(t, estimate, 0.5)
}
