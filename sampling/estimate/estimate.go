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
	// StdErr is the standard error: how far the value may be off because some recipients
	// were sampled and others not. It is 0 if all were, and +Inf if the sample cannot
	// tell.
	StdErr float64
	// Low and High are the ends of the 95 % confidence interval. An end is infinite if the
	// sample cannot tell. For totals and means that rest on fewer than 50 spans both are,
	// unless nothing was left to chance.
	Low, High float64
	// Spans is how many spans the estimate rests on: how many of equal weight would tell
	// as much, (Σw)²/Σw² (Kish, 1965). The spans of one recipient count as one. So do the
	// spans behind a relay that was left to chance, and the spans of a trace that a
	// sampler chose. Spans that are there for certain do not count, unless all are.
	Spans float64
}

// String returns the value and its standard error, as in "1200 ± 35". If the spans are too
// few for an interval, it says how many they are, as in "1200 ± 35 (of 12 spans)".
func (e Estimate) String() string {
	text := fmt.Sprintf("%.6g ± %.2g", e.Value, e.StdErr)
	if math.IsInf(e.Low, -1) && math.IsInf(e.High, 1) {
		text += fmt.Sprintf(" (of %.0f spans)", e.Spans)
	}
	return text
}

// Count estimates how many there were in all: Σw. If the broadcasts tell it exactly, because
// the spans are of their recipients and none of these refused, the standard error is 0. For
// other spans the standard error includes the chance that recipients that were not sampled
// have none.
func (s *Sample) Count() Estimate {
	what := plain
	if s.isWhole() {
		what = alike
	}
	total, d := s.sum(func(observation) float64 { return 1 }, what)
	if what != alike {
		b := s.blindness(func(observation) bool { return true })
		d.widen(b.variance, b.number)
	}
	if !s.tells(d) {
		return s.unknown(total)
	}
	if d.variance == 0 && what == alike {
		total = math.Round(total) // Sums of weights are rounded otherwise.
	}
	return s.interval(total, d)
}

func (s *Sample) isWhole() bool {
	for _, o := range s.observations {
		if !o.whole {
			return false
		}
	}
	return s.tally.Unweighted == 0
}

// Total estimates the sum of all values: Σwy.
func (s *Sample) Total() Estimate {
	total, d := s.sum(func(o observation) float64 { return o.value }, plain)
	return s.estimate(total, d, s.unseen())
}

// Mean estimates the mean of all values: Σwy / Σw.
func (s *Sample) Mean() Estimate {
	var total, count float64
	for _, o := range s.observations {
		total += o.weight * o.value
		count += o.weight
	}
	if count == 0 {
		return s.unknown(math.NaN())
	}
	mean := total / count
	d := s.plan.deviation(s.observations, func(o observation) float64 { return (o.value - mean) / count }, centred)
	return s.estimate(mean, d, s.unseen()/count)
}

// Above estimates how many of all values were greater than limit. If the sample has none or
// hardly one, the estimate still has a standard error, because the sample may have missed
// them. Its interval does not need many spans.
func (s *Sample) Above(limit float64) Estimate {
	above := func(o observation) bool { return o.value > limit }
	total, d := s.sum(func(o observation) float64 { return indicator(above(o)) }, plain)
	if limit < s.tail {
		b := s.blindness(above)
		d.widen(b.variance, b.number)
	}
	if !s.tells(d) {
		return s.unknown(total)
	}
	return s.interval(total, d)
}

// sum estimates the sum of a quantity over all.
func (s *Sample) sum(quantity func(observation) float64, what kind) (total float64, d deviation) {
	for _, o := range s.observations {
		total += o.weight * quantity(o)
	}
	return total, s.plan.deviation(s.observations, quantity, what)
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
