// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// planner returns a function that plans again and again.
func planner(c sampling.GroupConfig, n int, seed uint64) func() []int {
	random := stattest.Fixed(seed)
	return func() []int { return planOf(c, n, random).Sampled }
}

func TestPlanIsUniform(t *testing.T) {
	for _, test := range []struct {
		n, buckets, trials int
		config             sampling.GroupConfig
	}{
		{1, 1, 100, sampling.GroupConfig{}},
		{2, 2, 20_000, sampling.GroupConfig{}},
		{7, 7, 20_000, sampling.GroupConfig{}},
		{50, 50, 20_000, sampling.GroupConfig{}},
		{100, 100, 20_000, sampling.GroupConfig{}},
		{101, 101, 20_000, sampling.GroupConfig{}},
		{1000, 1000, 20_000, sampling.GroupConfig{}},
		{100_000, 100, 2000, sampling.GroupConfig{}},
		{100_000, 1000, 2000, sampling.GroupConfig{}},
		{100_000, 100_000, 5000, sampling.GroupConfig{}},
		{100, 100, 40_000, sampling.GroupConfig{Curve: flat(t, 0.0025)}}, // Less than one in the mean.
		{100, 100, 2000, exactly(63)},
		{100, 100, 2000, exactly(64)},
		{100, 100, 2000, exactly(65)}, // The table is no longer on the stack.
		{100, 100, 20_000, exactly(99)},
		{100, 100, 20_000, exactly(1)},
		{1000, 50, 1000, exactly(500)},
	} {
		t.Run(fmt.Sprintf("%.4g of %d", planning.Expected(test.config, test.n), test.n), func(t *testing.T) {
			require.NoError(t, stattest.CheckUniform(test.n, test.buckets, test.trials, planner(test.config, test.n, uint64(test.n))))
		})
	}
}

func TestPlanPairsAreUniform(t *testing.T) {
	for _, test := range []struct {
		n, trials int
		config    sampling.GroupConfig
	}{
		{7, 20_000, sampling.GroupConfig{}},
		{50, 20_000, sampling.GroupConfig{}},
		{50, 5000, exactly(25)},
		{70, 2000, exactly(66)},
		{20, 20_000, exactly(2)},
	} {
		t.Run(fmt.Sprintf("%.4g of %d", planning.Expected(test.config, test.n), test.n), func(t *testing.T) {
			require.NoError(t, stattest.CheckPairs(test.n, test.trials, planner(test.config, test.n, uint64(test.n))))
		})
	}
}

// floyd is the algorithm in its plainest form, with a number of positions by
// which each draw falls short of its range: 0 is right, 1 a classic slip.
func floyd(n, k, short int, random *rand.Rand) []int {
	chosen := map[int]bool{}
	var positions []int
	for last := n - k; last < n; last++ {
		x := random.IntN(last + 1 - short)
		if chosen[x] {
			x = last
		}
		chosen[x] = true
		positions = append(positions, x)
	}
	return positions
}

// systematic takes every (n/k)th position from a random start: each position
// equally often, but always in the same company.
func systematic(n, k int, random *rand.Rand) []int {
	var positions []int
	for x := random.IntN(n / k); x < n; x += n / k {
		positions = append(positions, x)
	}
	return positions
}

func TestUniformityNegativeControls(t *testing.T) {
	random := stattest.Fixed(5)
	const n, k, trials = 50, 10, 20_000
	require.NoError(t, stattest.CheckUniform(n, n, trials, func() []int { return floyd(n, k, 0, random) }), "a right one passes")
	require.NoError(t, stattest.CheckPairs(n, trials, func() []int { return floyd(n, k, 0, random) }))

	require.Error(t, stattest.CheckUniform(n, n, trials, func() []int { return floyd(n, k, 1, random) }))
	require.Error(t, stattest.CheckPairs(n, trials, func() []int { return floyd(n, k, 1, random) }))
	require.Error(t, stattest.CheckPairs(n, trials, func() []int { return systematic(n, k, random) }))

	// A slight preference, of one draw in fifty, for the first half.
	require.Error(t, stattest.CheckUniform(100_000, 100, 2000, func() []int {
		positions := floyd(100_000, 100, 0, random)
		if random.IntN(50) == 0 {
			for i := range positions {
				positions[i] /= 2
			}
		}
		return positions
	}))

	// Too even: each position in its turn.
	turn := 0
	require.Error(t, stattest.CheckUniform(n, n, trials, func() []int { turn++; return []int{turn % n} }))
}
