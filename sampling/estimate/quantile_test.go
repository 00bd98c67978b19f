// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
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
	got := judge(t, 100, handled(runs(t, 7, each(sampling.GroupConfig{}, broadcasts))), p50, p99)
	require.NoError(t, got["p50"].near(0.01))
	require.NoError(t, got["p99"].near(0.04))
	require.NoError(t, got["p50"].covers(0.86, 1))
	require.NoError(t, got["p99"].covers(0.86, 1))
	// Negative control: spans counted as they are.
	got = judge(t, 20, handled(runs(t, 7, func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			for _, i := range (planning.Planner{Random: f.random}).Plan(len(b)).Sampled {
				f.span("session", f.root(t, ""), b[i])
			}
		}
	})), p50)
	require.Error(t, got["p50"].near(0.25))
	require.Error(t, got["p50"].covers(0.05, 1))
}

// Few observations do not know how far a quantile near the end is; what they do
// know still holds the truth.
func TestQuantilesOfFewAreHonest(t *testing.T) {
	for _, size := range []int{100, 10_000} { // Ten are chosen of both.
		broadcasts := fleet(fixed(1), size)
		values := all(broadcasts)
		sample := handled(runs(t, 8, each(sampling.GroupConfig{}, broadcasts)))
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
	sample := handled(runs(t, 9, each(sampling.GroupConfig{}, broadcasts)))
	got := judge(t, 500, sample, above(values, limit))["above"]
	require.NoError(t, got.unbiased())
	require.NoError(t, got.covers(0.93, 1))

	// Negative control: a third of the samples has none above the limit, and an
	// interval of zeros.
	got = judge(t, 500, sample, quantity{"above", above(values, limit).truth, func(s *estimate.Sample) estimate.Estimate {
		e := s.Above(limit)
		if e.Value == 0 {
			e.Low, e.High = 0, 0
		}
		return e
	}})["above"]
	require.Error(t, got.covers(0.93, 1))
}

func TestQuantileDefinition(t *testing.T) {
	f := &forge{random: fixed(66)}
	for _, v := range []float64{40, 10, 30, 20} {
		f.span("session", f.root(t, ""), v)
	}
	s := f.collect().Named("session").Handled
	for q, want := range map[float64]float64{0: 10, 0.2: 10, 0.25: 10, 0.26: 20, 0.5: 20, 0.51: 30, 0.75: 30, 1: 40} {
		e := s.Quantile(q)
		assert.Equal(t, estimate.Estimate{Value: want, Low: want, High: want, Spans: 4}, e, "q = %v: all were traced", q)
	}
	f.span("session", f.root(t, ""), 50, keys.FanoutWeight.Float64(6))
	s = f.collect().Named("session").Handled
	assert.Equal(t, 50.0, s.Quantile(0.5).Value)
	assert.Equal(t, 40.0, s.Quantile(0.4).Value)
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		assert.True(t, math.IsNaN(s.Quantile(q).Value))
	}
}
