// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

func TestPlannerIsConfigWhereThereIsNoMore(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 7, 100, 12_345} {
		want := planOf(sampling.GroupConfig{}, n, stattest.Fixed(9))
		assert.Equal(t, want, planning.Planner{Random: stattest.Fixed(9)}.Plan(n))
		assert.Equal(t, want, planning.Planner{Random: stattest.Fixed(9), Rate: &spanrate.Rate{}}.Plan(n), "and no limit to keep")
		below := planning.Planner{Random: stattest.Fixed(9), Above: fanout.Fanout{Weight: 4, Probability: 0.25, Size: 8, Depth: 1}}.Plan(n)
		assert.Equal(t, want.Sampled, below.Sampled, "and no budget")
		assert.InDelta(t, want.Expected, below.Expected, 0)
		assert.InDelta(t, want.Weight(), below.Weight(), 0)
	}
}

func TestPlannerScalesWithTheRate(t *testing.T) {
	planner := planning.Planner{
		Config: sampling.GroupConfig{SpansPerSecond: 2}, // 20 in a window
		Rate:   &spanrate.Rate{}, Random: stattest.Fixed(1),
	}
	p := planner.Plan(10_000)
	assert.Len(t, p.Sampled, 10, "as the curve has it")
	p = planner.Plan(10_000)
	assert.Len(t, p.Sampled, 10)
	p = planner.Plan(10_000)
	assert.InEpsilon(t, 10*20.0/30, p.Expected, 1e-6)
	assert.InDelta(t, 10_000.0/float64(len(p.Sampled)), p.Weight(), 0, "and the weight follows from what was chosen")
	for range 30 {
		p = planner.Plan(10_000)
	}
	assert.Less(t, p.Expected, 1.0)
	assert.InDelta(t, 10_000/p.Expected, p.Weight(), 0)

	relays := planner.Relays([]int{5000, 5000})
	assert.Less(t, relays.Expected, p.Expected, "relays are a fan-out as any other")
}

// A clock may begin below zero, as a simulated one does.
func TestLastResortOfAClockBelowZero(t *testing.T) {
	config := exactly(10)
	config.MaxSpansPerSecond = 5
	planner := planning.Planner{Config: config, Rate: &spanrate.Rate{}, Random: stattest.Fixed(1), Now: -1000 * time.Hour}
	assert.False(t, planner.Plan(100).Shed)
	assert.True(t, planner.Plan(100).Shed)
	planner.Now += time.Second
	assert.False(t, planner.Plan(100).Shed)
}
