// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// latency is what a recipient at position i would have measured: skewed, so
// that an estimate that favours some positions shows.
func latency(i int) float64 { return float64(1 + i%7 + i*i/100) }

func totalLatency(n int) (total float64) {
	for i := range n {
		total += latency(i)
	}
	return total
}

// estimator returns a function that estimates the total latency of n
// recipients from those a plan chooses.
func estimator(c sampling.GroupConfig, n int, seed uint64, weight func(planning.Plan) float64) func() float64 {
	random := stattest.Fixed(seed)
	return func() (estimate float64) {
		p := planOf(c, n, random)
		for _, i := range p.Sampled {
			estimate += weight(p) * latency(i)
		}
		return estimate
	}
}

// byCount is N/k: right where k̄ is at least 1, and only there.
func byCount(p planning.Plan) float64 { return float64(p.Size) / float64(len(p.Sampled)) }

func TestEstimatesAreUnbiased(t *testing.T) {
	for _, n := range []int{1, 2, 7, 100, 150, 1000} {
		require.NoError(t, stattest.CheckTotal(totalLatency(n), 20_000,
			estimator(sampling.GroupConfig{}, n, uint64(n), planning.Plan.Weight)), "n = %d", n)
	}
	require.NoError(t, stattest.CheckTotal(totalLatency(1000), 20_000, estimator(exactly(3), 1000, 1, planning.Plan.Weight)))
}

func TestEstimatesBelowOneExpectedAreUnbiased(t *testing.T) {
	const n, trials = 100, 40_000
	c := sampling.GroupConfig{Curve: flat(t, 0.0025)}
	p := planOf(c, n, stattest.Fixed(1))
	assert.InDelta(t, 0.25, p.Expected, 1e-12)
	assert.InDelta(t, 400, p.Weight(), 1e-9, "whether one was chosen or not")

	require.NoError(t, stattest.CheckTotal(totalLatency(n), trials, estimator(c, n, 2, planning.Plan.Weight)))
	random := stattest.Fixed(3)
	require.NoError(t, stattest.CheckTotal(n, trials, func() float64 {
		p := planOf(c, n, random)
		return float64(len(p.Sampled)) * p.Weight()
	}), "the weights sum to N in the mean")

	// Negative control: N/k takes each chosen one for the whole fan-out, and
	// forgets those that chose none.
	require.Error(t, stattest.CheckTotal(totalLatency(n), trials, estimator(c, n, 2, byCount)))
}

// TestNestedEstimatesAreUnbiased multiplies the weights of two fan-outs, as
// each recipient of the second does through its tracestate.
func TestNestedEstimatesAreUnbiased(t *testing.T) {
	const relays, sessions, trials = 30, 40, 20_000
	random := stattest.Fixed(4)
	estimate := func(second func(f fanout.Fanout, p planning.Plan) float64) func() float64 {
		return func() (sum float64) {
			var c sampling.GroupConfig
			outer := planOf(c, relays, random)
			for range outer.Sampled {
				f := outer.Below(fanout.Fanout{})
				inner := planOf(c, sessions, random)
				for range inner.Sampled {
					sum += second(f, inner)
				}
			}
			return sum
		}
	}
	require.NoError(t, stattest.CheckTotal(relays*sessions, trials, estimate(func(f fanout.Fanout, p planning.Plan) float64 {
		return p.Below(f).Weight
	})))
	require.Error(t, stattest.CheckTotal(relays*sessions, trials, estimate(func(_ fanout.Fanout, p planning.Plan) float64 {
		return p.Below(fanout.Fanout{}).Weight // Negative control: the parent's is forgotten.
	})))
}
