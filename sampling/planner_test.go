// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
)

func TestPlannerIsConfigWhereThereIsNoMore(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 7, 100, 12_345} {
		want := sampling.Config{}.Plan(n, fixed(9))
		assert.Equal(t, want, sampling.Planner{Random: fixed(9)}.Plan(n))
		assert.Equal(t, want, sampling.Planner{Random: fixed(9), Rate: &sampling.Rate{}}.Plan(n), "and no limit to keep")
		assert.Equal(t, want, sampling.Planner{Random: fixed(9), Above: someFanout}.Plan(n), "and no budget")
	}
}

func TestPlannerScalesWithTheRate(t *testing.T) {
	planner := sampling.Planner{
		Config: sampling.Config{SpansPerSecond: 2}, // 20 in a window
		Rate:   &sampling.Rate{}, Random: fixed(1),
	}
	p := planner.Plan(10_000)
	assert.Len(t, p.Chosen, 10, "as the curve has it")
	p = planner.Plan(10_000)
	assert.Len(t, p.Chosen, 10)
	p = planner.Plan(10_000)
	assert.InEpsilon(t, 10*20.0/30, p.Expected, 1e-6)
	assert.InDelta(t, 10_000.0/float64(len(p.Chosen)), p.Weight(), 0, "and the weight follows from what was chosen")
	for range 30 {
		p = planner.Plan(10_000)
	}
	assert.Less(t, p.Expected, 1.0)
	assert.InDelta(t, 10_000/p.Expected, p.Weight(), 0)

	relays := planner.Relays([]int{5000, 5000})
	assert.Less(t, relays.Expected, p.Expected, "relays are a fan-out as any other")

	planner.Above = sampling.Fanout{Weight: 3, Probability: 0.5, Size: 9, Depth: 2, Budget: 7, MeanBudget: 6.5}
	assert.Len(t, planner.Plan(10_000).Chosen, 7, "a budget was scaled where it was planned")
}

// Of several rates the scarcest counts, each for its share of the recipients.
func TestPlannerScalesWithAllLimits(t *testing.T) {
	group, half, all := sampling.NewRate(time.Second), sampling.NewRate(time.Second), sampling.NewRate(time.Second)
	planner := sampling.Planner{
		Config: exactly(100), Rate: group, Random: fixed(1), Limits: []sampling.Limit{
			{Rate: half, SpansPerSecond: 20, Share: 0.5},
			{Rate: all, SpansPerSecond: 60, Share: 1},
			{SpansPerSecond: 1e-9, Share: 1}, // Nobody counts.
		},
	}
	p := planner.Plan(1000)
	assert.InEpsilon(t, 40, p.Expected, 1e-6, "50 would be of the half")
	assert.InDelta(t, 1000/float64(len(p.Chosen)), p.Weight(), 0)
	planner.Config.SpansPerSecond = 10
	planner.Now = time.Hour
	assert.InEpsilon(t, 10, planner.Plan(1000).Expected, 1e-6, "the group's own comes first")
	planner.Above = sampling.Fanout{Weight: 3, Probability: 0.5, Size: 9, Depth: 2, Budget: 7, MeanBudget: 6.5}
	assert.Len(t, planner.Plan(10_000).Chosen, 7, "a budget was scaled where it was planned")
	planner.Above = sampling.Fanout{}
	planner.Now += time.Hour
	planner.Limits[0].Share = 0.125
	assert.InEpsilon(t, 60, (&sampling.Planner{
		Config: exactly(100), Limits: planner.Limits, Now: planner.Now, Random: fixed(2),
	}).Plan(1000).Expected, 1e-6)
}

// A cap that sheds does not use up the others.
func TestLastResortOfSeveralLimits(t *testing.T) {
	var group, open, scarce sampling.Rate
	config := exactly(10)
	config.MaxSpansPerSecond = 100
	planner := sampling.Planner{Config: config, Rate: &group, Random: fixed(1), Limits: []sampling.Limit{
		{Rate: &open, MaxSpansPerSecond: 100, Share: 0.5},
		{Rate: &scarce, MaxSpansPerSecond: 1, Share: 0.5},
	}}
	assert.False(t, planner.Plan(100).Shed)
	for range 1000 {
		assert.True(t, planner.Plan(100).Shed)
	}
	_, shed := scarce.Shed()
	assert.EqualValues(t, 5000, shed, "its share")
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

// A clock may begin below zero, as a simulated one does.
func TestLastResortOfAClockBelowZero(t *testing.T) {
	config := exactly(10)
	config.MaxSpansPerSecond = 5
	planner := sampling.Planner{Config: config, Rate: &sampling.Rate{}, Random: fixed(1), Now: -1000 * time.Hour}
	assert.False(t, planner.Plan(100).Shed)
	assert.True(t, planner.Plan(100).Shed)
	planner.Now += time.Second
	assert.False(t, planner.Plan(100).Shed)
}

func TestControlOfRates(t *testing.T) {
	c := newControl(t)
	w := ask(c, http.MethodPut, `{"groups": {"sessions": {"spans_per_second": 2, "max_spans_per_second": 50}}}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	config := *c.Group("sessions").Load()
	assert.InDelta(t, 2, config.SpansPerSecond, 0)
	assert.InDelta(t, 50, config.MaxSpansPerSecond, 0)
	assert.Contains(t, w.Body.String(), `"spans_per_second": 2`)

	w = ask(c, http.MethodPut, `{
		"groups": {"sessions": {"spans_per_second": 2}},
		"kinds": {"sessions": {"spans_per_second": 3, "max_spans_per_second": 30}}
	}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	kind := *c.Kind("sessions").Load()
	assert.InDelta(t, 3, kind.SpansPerSecond, 0)
	assert.InDelta(t, 30, kind.MaxSpansPerSecond, 0)
	assert.Contains(t, w.Body.String(), `"max_spans_per_second": 30`)
	kindRate := c.KindRate("sessions")
	assert.Same(t, kindRate, c.KindRate("sessions"))
	assert.NotSame(t, kindRate, c.Rate("sessions"), "a group is no kind")

	rate := c.Rate("sessions")
	assert.Same(t, rate, c.Rate("sessions"), "groups of one name are one load")
	assert.NotSame(t, c.Rate("sessions"), c.Rate("others"))
	planner := sampling.Planner{Config: config, Rate: c.Rate("sessions"), Now: time.Minute}
	for range 10 {
		planner.Plan(10_000)
	}
	assert.InEpsilon(t, 10*20.0/110, planner.Plan(10_000).Expected, 1e-6)

	for _, rate := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, bad := range []sampling.Config{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.DefaultConfiguration()
			next.DefaultGroup = bad
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			next = sampling.DefaultConfiguration()
			next.Groups = map[string]sampling.Config{"sessions": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			require.ErrorContains(t, c.Set(next), `group "sessions"`)
		}
		for _, bad := range []sampling.Settings{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.DefaultConfiguration()
			next.Kinds = map[string]sampling.Settings{"session": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			require.ErrorContains(t, c.Set(next), `kind "session"`)
		}
	}
	assert.InDelta(t, 2, c.Group("sessions").Load().SpansPerSecond, 0, "nothing changed")
}
