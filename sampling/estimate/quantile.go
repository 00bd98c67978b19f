// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"cmp"
	"math"
	"slices"
)

// Quantile estimates the q-quantile of all values: the smallest y at which the estimated
// share of values up to y,
//
//	F(y) = Σ w[value ≤ y] / Σ w
//
// (Hájek, 1971), reaches q. It is always one of the values of the sample. For q = 0.5 it is
// the median, for q = 0 the smallest value and for q = 1 the greatest. The value is NaN for
// an empty sample and for a q outside [0, 1].
//
// Its interval is Woodruff's (1952): the quantiles at q plus and minus what F may be off
// there. It is not symmetric. A side is infinite if it lies beyond the sample: nobody knows
// the 99 % quantile from fifty observations. The standard error is derived from the length of
// the interval.
func (s *Sample) Quantile(q float64) Estimate {
	if !(q >= 0 && q <= 1) { // Also true for NaN.
		return s.unknown(math.NaN())
	}
	sorted := slices.Clone(s.observations)
	if len(sorted) == 0 {
		return s.unknown(math.NaN())
	}
	slices.SortFunc(sorted, func(a, b observation) int { return cmp.Compare(a.value, b.value) })
	c := cumulative{sorted, 0}
	for _, o := range sorted {
		c.total += o.weight
	}
	value := c.quantile(q)
	share := c.share(value)
	d := s.plan.deviation(sorted, func(o observation) float64 {
		return (indicator(o.value <= value) - share) / c.total
	}, centred)
	if !s.tells(d) {
		return s.unknown(value)
	}
	var b blind
	if value < s.tail {
		b = s.blindness(func(o observation) bool { return o.value <= value })
	}
	d.widen(b.variance/(c.total*c.total), b.number)
	e := c.woodruff(q, value, d, b.block/c.total)
	e.Spans = s.spans()
	return e
}

// cumulative is the weighted distribution of observations sorted by value.
type cumulative struct {
	sorted []observation
	total  float64
}

func (c cumulative) quantile(q float64) float64 {
	sum, limit := 0.0, (q-1e-12)*c.total // A little less, because sums are rounded.
	for _, o := range c.sorted {
		if sum += o.weight; sum >= limit {
			return o.value
		}
	}
	return c.sorted[len(c.sorted)-1].value
}

// share returns F(y).
func (c cumulative) share(y float64) float64 {
	var sum float64
	for _, o := range c.sorted {
		if o.value > y {
			break
		}
		sum += o.weight
	}
	return sum / c.total
}

// woodruff inverts the interval of F(y). It adds half a step on each side, because F is a
// staircase.
func (c cumulative) woodruff(q, value float64, d deviation, step float64) Estimate {
	e := Estimate{Value: value, Low: value, High: value}
	if d.variance == 0 {
		return e
	}
	margin := d.quantile()*math.Sqrt(d.variance) + step/2
	if e.Low = math.Inf(-1); q-margin > 0 {
		e.Low = c.quantile(q - margin)
	}
	if e.High = math.Inf(1); q+margin < 1 {
		e.High = c.quantile(q + margin)
	}
	e.StdErr = (e.High - e.Low) / (2 * d.quantile())
	return e
}
