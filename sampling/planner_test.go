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

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

func TestPlannerIsConfigWhereThereIsNoMore(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 7, 100, 12_345} {
		want := sampling.GroupConfig{}.Plan(n, stattest.Fixed(9))
		assert.Equal(t, want, sampling.Planner{Random: stattest.Fixed(9)}.Plan(n))
		assert.Equal(t, want, sampling.Planner{Random: stattest.Fixed(9), Rate: &sampling.Rate{}}.Plan(n), "and no limit to keep")
		below := sampling.Planner{Random: stattest.Fixed(9), Above: fanout.Fanout{Weight: 4, Probability: 0.25, Size: 8, Depth: 1}}.Plan(n)
		assert.Equal(t, want.Sampled, below.Sampled, "and no budget")
		assert.InDelta(t, want.Expected, below.Expected, 0)
		assert.InDelta(t, want.Weight(), below.Weight(), 0)
	}
}

func TestPlannerScalesWithTheRate(t *testing.T) {
	planner := sampling.Planner{
		Config: sampling.GroupConfig{SpansPerSecond: 2}, // 20 in a window
		Rate:   &sampling.Rate{}, Random: stattest.Fixed(1),
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
	planner := sampling.Planner{Config: config, Rate: &sampling.Rate{}, Random: stattest.Fixed(1), Now: -1000 * time.Hour}
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
		for _, bad := range []sampling.GroupConfig{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.DefaultConfig()
			next.DefaultGroup = bad
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			next = sampling.DefaultConfig()
			next.Groups = map[string]sampling.GroupConfig{"sessions": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			require.ErrorContains(t, c.Set(next), `group "sessions"`)
		}
		for _, bad := range []sampling.KindConfig{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.DefaultConfig()
			next.Kinds = map[string]sampling.KindConfig{"session": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrSettings)
			require.ErrorContains(t, c.Set(next), `kind "session"`)
		}
	}
	assert.InDelta(t, 2, c.Group("sessions").Load().SpansPerSecond, 0, "nothing changed")
}
