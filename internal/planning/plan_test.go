// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// requirePlan requires what must hold for every plan.
func requirePlan(t *testing.T, c sampling.GroupConfig, n int, p planning.Plan) {
	t.Helper()
	require.Equal(t, max(n, 0), p.Size)
	require.InDelta(t, planning.Expected(c, n), p.Expected, 0)
	k := float64(len(p.Sampled))
	require.True(t, k == math.Floor(p.Expected) || k == math.Ceil(p.Expected), "k = %v, mean %v", k, p.Expected)
	for i, x := range p.Sampled {
		require.True(t, x >= 0 && x < n, "%d of %d", x, n)
		require.True(t, i == 0 || p.Sampled[i-1] < x, "distinct and ascending: %v", p.Sampled)
	}
}

func TestPlanInvariants(t *testing.T) {
	random := stattest.Seeded(t)
	for range 3000 {
		n := 1 + random.IntN(1<<(1+random.IntN(12)))
		c := sampling.GroupConfig{MaxSpans: random.IntN(200) - 20}
		switch random.IntN(4) {
		case 0:
			c.Curve = flat(t, 1-random.Float64())
		case 1:
			c.Curve = sampling.Always()
		case 2:
			c.Curve = flat(t, (1-random.Float64())/float64(n)) // Less than one in the mean.
		}
		p := planOf(c, n, random)
		requirePlan(t, c, n, p)
		if c.MaxSpans > 0 {
			require.LessOrEqual(t, len(p.Sampled), c.MaxSpans)
		}
	}
}

// TestPlanOfEverySize goes through all n and k up to a bound, and some around
// the sizes where the way of choosing changes.
func TestPlanOfEverySize(t *testing.T) {
	random := stattest.Fixed(1)
	check := func(n, k int) {
		p := planOf(exactly(k), n, random)
		requirePlan(t, exactly(k), n, p)
		require.Len(t, p.Sampled, min(n, k))
	}
	for n := 1; n <= 40; n++ {
		for k := 1; k <= n+1; k++ {
			check(n, k)
		}
	}
	for _, k := range []int{63, 64, 65, 1000} {
		for _, n := range []int{k - 1, k, k + 1, 2 * k, 100 * k, math.MaxInt32, math.MaxInt} {
			check(n, k)
		}
	}
}

func TestPlanOfNobody(t *testing.T) {
	for _, n := range []int{0, -1, math.MinInt} {
		p := planOf(sampling.GroupConfig{}, n, nil)
		assert.Equal(t, planning.Plan{}, p)
		assert.Zero(t, p.Weight())
		assert.Zero(t, planning.Expected(sampling.GroupConfig{}, n))
	}
}

func TestExpected(t *testing.T) {
	var c sampling.GroupConfig
	assert.InDelta(t, 1, planning.Expected(c, 1), 0)
	assert.InDelta(t, 10, planning.Expected(c, 100), 0)
	assert.InEpsilon(t, 10, planning.Expected(c, 1000), 1e-12)
	assert.InDelta(t, 10, planning.Expected(c, 10_000), 0)
	assert.InDelta(t, 100, planning.Expected(c, 100_000), 0)
	for _, n := range []int{1, 5, 1000, 100_000} {
		for _, most := range []int{-1, 0} {
			assert.InDelta(t, planning.Expected(c, n), planning.Expected(sampling.GroupConfig{MaxSpans: most}, n), 0, "no cap")
		}
		capped := planning.Expected(sampling.GroupConfig{MaxSpans: 7}, n)
		assert.InDelta(t, min(planning.Expected(c, n), 7), capped, 0)
	}
	assert.InDelta(t, 3, planning.Expected(exactly(7), 3), 0)
}

func TestPlanRoundsToTheRightMean(t *testing.T) {
	const trials = 20_000
	for seed, n := range []int{1, 2, 3, 7, 50, 100, 101, 1000, 3333, 100_000} {
		random := stattest.Fixed(uint64(seed))
		var c sampling.GroupConfig
		require.NoError(t, stattest.CheckMean(planning.Expected(c, n), trials, func() int {
			p := planOf(c, n, random)
			return len(p.Sampled)
		}), "n = %d", n)
	}
	small := sampling.GroupConfig{Curve: flat(t, 0.0025)}
	random := stattest.Fixed(99)
	require.NoError(t, stattest.CheckMean(0.25, trials, func() int { return len(planOf(small, 100, random).Sampled) }))

	// Negative controls: rounding down, to the nearest, and by a fair coin.
	mean := planning.Expected(sampling.GroupConfig{}, 7) // 2.65
	require.Error(t, stattest.CheckMean(mean, trials, func() int { return int(mean) }))
	require.Error(t, stattest.CheckMean(mean, trials, func() int { return int(math.Round(mean)) }))
	require.Error(t, stattest.CheckMean(mean, trials, func() int { return int(mean) + random.IntN(2) }))
	require.Error(t, stattest.CheckMean(mean, trials, func() int { return 1 }))
}

// TestWeightsSumToTheSize: in every single plan, not only in the mean.
func TestWeightsSumToTheSize(t *testing.T) {
	random, missed := stattest.Seeded(t), 0
	for range 2000 {
		n := 1 + random.IntN(200_000)
		c := sampling.GroupConfig{MaxSpans: random.IntN(100)}
		if random.IntN(2) == 0 {
			c.Curve = flat(t, max(random.Float64(), 1/float64(n)))
		}
		p := planOf(c, n, random)
		require.GreaterOrEqual(t, p.Expected, 1.0)
		require.NotEmpty(t, p.Sampled, "there is always one to stand for all")
		require.InDelta(t, float64(p.Size)/float64(len(p.Sampled)), p.Weight(), 0, "the quotient of two whole numbers")
		sum := 0.0
		for range p.Sampled {
			sum += p.Weight()
		}
		require.InEpsilon(t, float64(n), sum, 1e-9)
		if math.Abs(p.Expected-float64(len(p.Sampled))) > 1e-9 {
			missed++
		}
	}
	// One plan in nine in the mean; most others are capped to a whole number.
	assert.Greater(t, missed, 100, "negative control: N/k̄ misses it wherever k is rounded")
}

func TestPlanDependsOnItsSourceOnly(t *testing.T) {
	var c sampling.GroupConfig
	one, same := planOf(c, 5000, stattest.Fixed(3)), planOf(c, 5000, stattest.Fixed(3))
	assert.Equal(t, one, same)
	assert.NotEqual(t, planOf(c, 5000, stattest.Fixed(3)).Sampled, planOf(c, 5000, stattest.Fixed(4)).Sampled)
	first := planOf(c, 1_000_000_000, nil)
	assert.NotEqual(t, first.Sampled, planOf(c, 1_000_000_000, nil).Sampled, "the runtime's generator goes on")
}

func TestPlanInManyGoroutines(t *testing.T) {
	c := sampling.GroupConfig{MaxSpans: 80}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				p := planOf(c, 200_000, nil)
				assert.Len(t, p.Sampled, 80)
				assert.True(t, slices.IsSorted(p.Sampled))
			}
		})
	}
	wg.Wait()
}
