// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spanrate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrival is one fan-out that would choose that many.
type arrival struct {
	at       time.Duration
	expected float64
}

// patterns are loads that a rate has to cope with.
func patterns(random *rand.Rand) map[string][]arrival {
	const n = 300
	at := func(next func(i int) (time.Duration, float64)) (list []arrival) {
		var now time.Duration
		for i := range n {
			pause, expected := next(i)
			now += pause
			list = append(list, arrival{now, expected})
		}
		return list
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return map[string][]arrival{
		"steady":  at(func(int) (time.Duration, float64) { return seconds(0.01), 5 }),
		"at once": at(func(int) (time.Duration, float64) { return 0, 3 }),
		"poisson": at(func(int) (time.Duration, float64) { return seconds(0.1 * random.ExpFloat64()), 20 }),
		"heavy tails": at(func(int) (time.Duration, float64) {
			return seconds(random.ExpFloat64()), math.Exp(3 * random.NormFloat64())
		}),
		"rare":         at(func(int) (time.Duration, float64) { return seconds(300 * random.Float64()), 1e6 }),
		"ever more":    at(func(i int) (time.Duration, float64) { return seconds(0.05), math.Pow(1.1, float64(i)) }),
		"ever less":    at(func(i int) (time.Duration, float64) { return seconds(0.05), math.Pow(1.1, float64(200-i)) }),
		"bursts":       at(func(i int) (time.Duration, float64) { return seconds(float64(i % 20 / 19 * 40)), 10 }),
		"below target": at(func(int) (time.Duration, float64) { return seconds(random.Float64()), 3 }),
	}
}

// checkRate judges whether fan-outs are planned to choose no more in any stretch
// of time than the target, and what Rate says above that.
func checkRate(list []arrival, target, window float64, factor func(arrival) float64) error {
	var load, sum float64
	sums, loads := []float64{0}, []float64{0}
	for i, a := range list {
		if i > 0 {
			load *= math.Exp((list[i-1].at - a.at).Seconds() / window)
		}
		load += a.expected
		sum += a.expected * factor(a)
		sums, loads = append(sums, sum), append(loads, load)
	}
	for from := range list {
		most := 0.0
		for to := from; to < len(list); to++ {
			most = max(most, loads[to+1]/(target*window))
			length := (list[to].at - list[from].at).Seconds()
			planned, limit := sums[to+1]-sums[from], target*(length+window*(1+math.Log(max(most, 1))))
			if planned > limit*(1+1e-6) {
				return fmt.Errorf("%v in the %v s from %v on, more than %v", planned, length, list[from].at, limit)
			}
		}
	}
	return nil
}

// TestRateKeepsItsBound: in every stretch of time of every pattern.
func TestRateKeepsItsBound(t *testing.T) {
	const target, window = 10, 5
	for name, list := range patterns(stattest.Fixed(31)) {
		t.Run(name, func(t *testing.T) {
			rate := spanrate.New(window * time.Second)
			require.NoError(t, checkRate(list, target, window, func(a arrival) float64 {
				f := rate.Factor(target, a.expected, a.at)
				require.True(t, f > 0 && f <= 1)
				return f
			}))
		})
	}
	// Negative controls: no rate, and one that looks at the past only, without the
	// fan-out in question.
	list := patterns(stattest.Fixed(31))["bursts"]
	require.Error(t, checkRate(list, target, window, func(arrival) float64 { return 1 }))
	rate, before := spanrate.New(window*time.Second), 1.0
	require.Error(t, checkRate(patterns(stattest.Fixed(31))["rare"], target, window, func(a arrival) float64 {
		f := before
		before = rate.Factor(target, a.expected, a.at)
		return f
	}))
}

func TestFactor(t *testing.T) {
	rate := spanrate.New(10 * time.Second)
	const now = 1000 * time.Second
	assert.InDelta(t, 1, rate.Factor(10, 60, now), 0, "within a window's worth, which is 100")
	assert.InDelta(t, 1, rate.Factor(10, 40, now), 1e-8)
	assert.InEpsilon(t, 0.5, rate.Factor(10, 100, now), 1e-8, "the load is 200")
	assert.InEpsilon(t, 0.4, rate.Factor(10, 50, now), 1e-8)
	assert.InEpsilon(t, 100/(250/math.E+100), rate.Factor(10, 100, now+10*time.Second), 1e-8, "it fades out")
	assert.InDelta(t, 1, rate.Factor(10, 100, now+time.Hour), 0, "it is forgotten")
	assert.InEpsilon(t, 0.25, rate.Factor(5, 100, now+time.Hour), 1e-8, "the target may change")

	for _, target := range []float64{0, -1, math.NaN()} {
		assert.InDelta(t, 1, rate.Factor(target, 1e9, now+time.Hour), 0, "no target")
	}
	for _, expected := range []float64{0, -1, math.NaN()} {
		assert.InDelta(t, 1, rate.Factor(1, expected, now+time.Hour), 0, "no fan-out")
	}
	assert.InEpsilon(t, 50.0/250, rate.Factor(5, 50, now+time.Hour), 1e-8, "neither is a load")
	assert.InDelta(t, 1, (*spanrate.Rate)(nil).Factor(1, 100, now), 0)

	var zero spanrate.Rate
	assert.InEpsilon(t, 0.1, zero.Factor(10, 1000, 0), 1e-8, "a window of 10 seconds")
	assert.InEpsilon(t, 0.1, spanrate.New(-1).Factor(10, 1000, 0), 1e-8)
	assert.InDelta(t, 1, zero.Factor(10, 100, -time.Hour), 0, "a clock that went back does not block for ever")
	assert.Zero(t, testing.AllocsPerRun(50, func() { zero.Factor(10, 1000, 0) }))
}

// TestRateInManyGoroutines: no fan-out's load is lost.
func TestRateInManyGoroutines(t *testing.T) {
	var rate spanrate.Rate
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				rate.Factor(10, 2, time.Minute)
			}
		})
	}
	wg.Wait()
	assert.InEpsilon(t, 100.0/16_001, rate.Factor(10, 1, time.Minute), 1e-6)
}
