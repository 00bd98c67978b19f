// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

func TestDefaultCurve(t *testing.T) {
	for _, c := range []sampling.Curve{sampling.DefaultCurve(), {}} {
		for n, want := range map[int]float64{1: 1, 100: 0.1, 10_000: 0.001, 10_001: 0.001, 100_000: 0.001, math.MaxInt: 0.001} {
			assert.Equal(t, want, c.Probability(n), "exactly at and after its points: %d", n)
		}
		// Straight on logarithmic axes: half way is the geometric mean.
		assert.InEpsilon(t, math.Sqrt(0.1), c.Probability(10), 1e-12)
		assert.InEpsilon(t, 0.01, c.Probability(1000), 1e-12)
		assert.InEpsilon(t, 1/math.Sqrt2, c.Probability(2), 1e-12)
	}
}

func TestCurveInterpolates(t *testing.T) {
	points := []sampling.Point{{10_000, 0.01}, {10, 0.5}, {100, 0.9}} // Neither sorted nor falling.
	c, err := sampling.NewCurve(points...)
	require.NoError(t, err)
	for i := range points {
		points[i] = sampling.Point{Size: 7, Probability: 7} // The curve has a copy.
	}
	for n, want := range map[int]float64{
		math.MinInt: 0.5, -1: 0.5, 0: 0.5, 1: 0.5, 9: 0.5, 10: 0.5,
		100: 0.9, 1000: math.Sqrt(0.9 * 0.01),
		10_000: 0.01, 10_001: 0.01, math.MaxInt: 0.01,
		50: 0.5 * math.Pow(0.9/0.5, math.Log(5)/math.Log(10)),
	} {
		assert.InEpsilon(t, want, c.Probability(n), 1e-12, "at %d", n)
	}
}

func TestCurveStaysBetweenItsPoints(t *testing.T) {
	random := stattest.Seeded(t)
	for range 2000 {
		low, high := 1+random.IntN(1000), 2000+random.IntN(math.MaxInt32)
		// Some so small that a quotient of the two overflows, some nearly equal.
		a := math.Ldexp(1-random.Float64()/2, -random.IntN(1070))
		b := math.Ldexp(1-random.Float64()/2, -random.IntN(1070))
		if random.IntN(2) == 0 {
			b = math.Nextafter(a, random.Float64())
		}
		c, err := sampling.NewCurve(sampling.Point{Size: low, Probability: a}, sampling.Point{Size: high, Probability: b})
		require.NoError(t, err)
		for range 20 {
			n := low + random.IntN(high-low)
			p := c.Probability(n)
			require.True(t, p >= min(a, b) && p <= max(a, b), "%v at %d between %v at %d and %v at %d", p, n, a, low, b, high)
		}
	}
}

func TestAlways(t *testing.T) {
	for _, n := range []int{1, 2, 99, 100_000} {
		assert.InDelta(t, 1, sampling.Always().Probability(n), 0)
	}
}

func TestNewCurveRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		points []sampling.Point
		says   string
	}{
		"no points":           {nil, "no points"},
		"size 0":              {[]sampling.Point{{0, 0.5}}, "size 0"},
		"negative size":       {[]sampling.Point{{1, 1}, {-5, 0.5}}, "size -5"},
		"least size":          {[]sampling.Point{{1, 1}, {math.MinInt, 0.5}, {math.MaxInt, 1}}, "size -9223372036854775808"},
		"NaN":                 {[]sampling.Point{{3, math.NaN()}}, "NaN at size 3"},
		"zero":                {[]sampling.Point{{3, 0}}, "0 at size 3"},
		"negative zero":       {[]sampling.Point{{3, math.Copysign(0, -1)}}, "0 at size 3"},
		"negative":            {[]sampling.Point{{3, -0.1}}, "-0.1 at size 3"},
		"above one":           {[]sampling.Point{{1, 1}, {3, math.Nextafter(1, 2)}}, "at size 3"},
		"infinite":            {[]sampling.Point{{3, math.Inf(1)}}, "+Inf at size 3"},
		"duplicate":           {[]sampling.Point{{3, 0.5}, {3, 0.5}}, "size 3 twice"},
		"duplicate far apart": {[]sampling.Point{{3, 0.5}, {1, 1}, {9, 0.1}, {3, 0.4}}, "size 3 twice"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := sampling.NewCurve(test.points...)
			require.ErrorIs(t, err, sampling.ErrCurve)
			assert.Contains(t, err.Error(), test.says)
			assert.Equal(t, sampling.Curve{}, c)
		})
	}
	_, err := sampling.NewCurve(sampling.Point{Size: math.MaxInt, Probability: math.SmallestNonzeroFloat64})
	require.NoError(t, err)
}
