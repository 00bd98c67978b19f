// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// spread returns the sum of the latencies of n recipients and of their squares.
func spread(n int) (sum, squares float64) {
	for i := range n {
		sum += latency(i)
		squares += latency(i) * latency(i)
	}
	return sum, squares
}

// varianceOf is that of the estimated total for a simple random sample of k out
// of n without replacement (Cochran, "Sampling Techniques", theorem 2.2).
func varianceOf(n, k int) float64 {
	sum, squares := spread(n)
	size := float64(n)
	s2 := (squares - sum*sum/size) / (size - 1)
	return size * size * (1 - float64(k)/size) / float64(k) * s2
}

// TestVarianceIsThatOfTheFormula: a skewed quantity, whose largest values are a
// hundred times the smallest.
func TestVarianceIsThatOfTheFormula(t *testing.T) {
	const trials = 12_000
	for _, n := range []int{7, 100, 101, 300} {
		for _, k := range []int{1, 3, n / 2, n - 1} {
			t.Run(fmt.Sprintf("%d of %d", k, n), func(t *testing.T) {
				require.NoError(t, stattest.CheckVariance(totalLatency(n), varianceOf(n, k), trials,
					estimator(exactly(k), n, uint64(n*k), planning.Plan.Weight)))
			})
		}
	}
	t.Run("k at random", func(t *testing.T) {
		const n = 7
		mean := planning.Expected(sampling.GroupConfig{}, n)
		low, up := math.Modf(mean)
		variance := (1-up)*varianceOf(n, int(low)) + up*varianceOf(n, int(low)+1)
		require.NoError(t, stattest.CheckVariance(totalLatency(n), variance, trials, estimator(sampling.GroupConfig{}, n, 1, planning.Plan.Weight)))
	})
	t.Run("below one", func(t *testing.T) {
		const n, mean = 100, 0.25
		sum, squares := spread(n)
		c := sampling.GroupConfig{Curve: flat(t, mean/n)}
		require.NoError(t, stattest.CheckVariance(sum, squares*n/mean-sum*sum, 2*trials, estimator(c, n, 2, planning.Plan.Weight)))
	})
	t.Run("negative controls", func(t *testing.T) {
		const n, k = 100, 30
		truth, variance := totalLatency(n), varianceOf(n, k)
		random := stattest.Fixed(3)
		require.Error(t, stattest.CheckVariance(truth, variance, trials, func() (sum float64) {
			for i := range n { // A coin for each.
				if random.IntN(n) < k {
					sum += latency(i) * n / k
				}
			}
			return sum
		}))
		require.Error(t, stattest.CheckVariance(truth, variance, trials, func() (sum float64) {
			for range k { // With replacement.
				sum += latency(random.IntN(n)) * n / k
			}
			return sum
		}))
		require.Error(t, stattest.CheckVariance(truth, variance, trials, func() (sum float64) {
			for _, i := range systematic(n, 25, random) { // Every fourth: even, and so with less noise.
				sum += latency(i) * 4
			}
			return sum
		}))
	})
}
