// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// The larger the fan-out, the slower, and the smaller the share of spans.
func TestWeightedQuantilesAreRight(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	var sizes []int
	sizes = append(sizes, slices.Repeat([]int{1, 3, 10}, 200)...)
	sizes = append(sizes, slices.Repeat([]int{100}, 100)...)
	sizes = append(sizes, slices.Repeat([]int{1000}, 60)...)
	broadcasts := fleet(fixed(1), sizes...)
	values := all(broadcasts)
	p50, p99 := quantile(values, 0.5), quantile(values, 0.99)
	for name, add := range map[string]adder{"staged": staged, "unstaged": unstaged} {
		t.Run(name, func(t *testing.T) {
			got := judge(t, 400, sampler(sampling.Config{}, 7, broadcasts, add), p50, p99)
			require.NoError(t, got["p50"].near(0.01))
			require.NoError(t, got["p99"].near(0.02))
			require.NoError(t, got["p50"].covers(0.91, 0.99))
			require.NoError(t, got["p99"].covers(0.91, 1))
		})
	}
	// Negative control: spans counted as they are.
	got := judge(t, 50, sampler(sampling.Config{}, 7, broadcasts, unweighted), p50)
	require.Error(t, got["p50"].near(0.25))
	require.Error(t, got["p50"].covers(0.05, 1))
}

// Few observations do not know how far a quantile near the end is; what they do
// know still holds the truth.
func TestQuantilesOfFewAreHonest(t *testing.T) {
	for _, size := range []int{100, 10_000} { // Ten are chosen of both.
		broadcasts := fleet(fixed(1), size)
		values := all(broadcasts)
		sample := sampler(sampling.Config{}, 8, broadcasts, staged)
		got := judge(t, 500, sample, quantile(values, 0.5), quantile(values, 0.99))
		require.NoError(t, got["p50"].covers(0.93, 1))
		require.NoError(t, got["p99"].covers(0.93, 1))
		e := sample().Quantile(0.99)
		assert.True(t, math.IsInf(e.High, 1) && math.IsInf(e.StdErr, 1), "%v", e)
	}
}

// A share of which there is none in the sample is not zero for sure.
func TestAboveIsHonestAboutWhatItMissed(t *testing.T) {
	broadcasts := fleet(fixed(1), 10_000)
	values := all(broadcasts)
	limit := quantile(values, 0.9).truth
	sample := sampler(sampling.Config{}, 9, broadcasts, staged)
	got := judge(t, 1000, sample, above(values, limit))["above"]
	require.NoError(t, got.unbiased())
	require.NoError(t, got.covers(0.93, 1))

	// Negative control: a third of the samples has none above the limit, and an
	// interval of zeros.
	got = judge(t, 1000, sampler(sampling.Config{}, 9, broadcasts,
		func(s *estimate.Sample, value float64, f sampling.Fanout, stage estimate.Stage) {
			if value > limit {
				s.Add(1, f.Weight, stage)
			}
		}), quantity{"above", above(values, limit).truth, (*estimate.Sample).Total})["above"]
	require.Error(t, got.covers(0.93, 1))
}

func TestQuantileDefinition(t *testing.T) {
	var s estimate.Sample
	for _, v := range []float64{40, 10, 30, 20} {
		s.Add(v, 1)
	}
	for q, want := range map[float64]float64{0: 10, 0.2: 10, 0.25: 10, 0.26: 20, 0.5: 20, 0.51: 30, 0.75: 30, 1: 40} {
		e := s.Quantile(q)
		assert.Equal(t, estimate.Estimate{Value: want, Low: want, High: want}, e, "q = %v: all were traced", q)
	}
	s.Add(50, 6)
	assert.Equal(t, 50.0, s.Quantile(0.5).Value)
	assert.Equal(t, 40.0, s.Quantile(0.4).Value)
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		assert.True(t, math.IsNaN(s.Quantile(q).Value))
	}
}
