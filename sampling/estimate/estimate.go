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
	// Low and High are the ends of its 95 % confidence interval, infinite where the
	// sample cannot tell. That is so for all estimates of totals and means that rest
	// on fewer than 50 spans, unless nothing was left to chance.
	Low, High float64
	// Spans is how many spans it rests on: as many of equal weight would tell as much,
	// (Σw)²/Σw² (Kish, 1965). Spans of one recipient are one, those of recipients of one
	// relay too if that was left to chance, and those of one trace if a sampler chose
	// that. Those that were there for certain are left out, unless all were.
	Spans float64
}

// String returns the value and its standard error, as in "1200 ± 35", and how many spans
// it rests on where they are too few for an interval, as in "1200 ± 35 (of 12 spans)".
func (e Estimate) String() string {
	text := fmt.Sprintf("%.6g ± %.2g", e.Value, e.StdErr)
	if math.IsInf(e.Low, -1) && math.IsInf(e.High, 1) {
		text += fmt.Sprintf(" (of %.0f spans)", e.Spans)
	}
	return text
}

// Count estimates how many there were in all: Σw. Where the broadcasts tell it exactly,
// because it is about their recipients and nobody refused them, its standard error is 0.
// Of other spans, those that were chosen may all have one, and others none: that is in the
// standard error.
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

// Above estimates how many of all values were greater than limit. A sample without any,
// or with hardly one, still has a standard error: it may have missed them. Its interval
// does not need many spans.
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
