// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"fmt"
	"math"
)

// Estimate is what a sample says of one quantity.
type Estimate struct {
	// Value is the estimate; NaN if there is nothing to estimate from.
	Value float64
	// StdErr is its standard error: how far it is off because some recipients
	// were chosen and others not. It is 0 if all were, and +Inf if the sample
	// cannot tell.
	StdErr float64
	// Low and High are the ends of its 95 % confidence interval, infinite where
	// the sample cannot tell.
	Low, High float64
}

// String returns the value and its standard error, as in "1200 ± 35".
func (e Estimate) String() string { return fmt.Sprintf("%.6g ± %.2g", e.Value, e.StdErr) }

// estimate returns an estimate that may be off by d, and by more than anybody knows if
// there are spans of which nothing says what they stand for.
func (s *Sample) estimate(value float64, d deviation) Estimate {
	if s.unweighted > 0 {
		return unknown(value)
	}
	e := Estimate{Value: value, StdErr: math.Sqrt(d.variance), Low: value, High: value}
	if e.StdErr > 0 {
		e.Low -= d.quantile() * e.StdErr
		e.High += d.quantile() * e.StdErr
	}
	return e
}

// unknown is an estimate of which nothing is known but perhaps its value.
func unknown(value float64) Estimate {
	return Estimate{value, math.Inf(1), math.Inf(-1), math.Inf(1)}
}

// Count estimates how many there were in all: Σw. Where the sample knows the stages
// and holds all the chosen, two at least of each fan-out, that is no guess, and its
// standard error is 0.
func (s *Sample) Count() Estimate {
	return s.estimate(s.sum(s.counted(), func(observation) float64 { return 1 }))
}

// Total estimates the sum of all values: Σwy.
func (s *Sample) Total() Estimate {
	return s.estimate(s.sum(s.counted(), func(o observation) float64 { return o.value }))
}

// Above estimates how many of all values were greater than limit.
// A sample without any, or with hardly one, still has a standard error: it may
// have missed them.
func (s *Sample) Above(limit float64) Estimate {
	above := func(o observation) bool { return o.value > limit }
	counted := s.counted()
	total, d := s.sum(counted, func(o observation) float64 { return indicator(above(o)) })
	d.widen(blindness(counted, above))
	return s.estimate(total, d)
}

// sum estimates the sum of a quantity over all.
func (s *Sample) sum(counted []observation, quantity func(observation) float64) (total float64, d deviation) {
	for _, o := range counted {
		total += o.weight * quantity(o)
	}
	return total, s.plan.deviation(counted, quantity, false)
}

// Mean estimates the mean of all values: Σwy / Σw.
func (s *Sample) Mean() Estimate {
	counted := s.counted()
	var total, count float64
	for _, o := range counted {
		total += o.weight * o.value
		count += o.weight
	}
	if count == 0 {
		return unknown(math.NaN())
	}
	mean := total / count
	d := s.plan.deviation(counted, func(o observation) float64 { return (o.value - mean) / count }, true)
	if math.IsInf(d.variance, 1) {
		return unknown(mean)
	}
	return s.estimate(mean, d)
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
