// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// fewest is how many spans a total or a mean must rest on to have an interval. With 50, at
// least nine intervals in ten hold the truth, for log-normal values up to σ = 1.5 and also
// if one recipient in twenty carries most of the total. With 30, there are values for which
// seven in ten do; with 10, five to eight in ten. A test shows it.
const fewest = 50

// estimate returns an estimate that may be off by d. unseen is the sum of the known values
// that it lacks and that are greater than all that it rests on.
func (s *Sample) estimate(value float64, d deviation, unseen float64) Estimate {
	if !s.tells(d) {
		return s.unknown(value)
	}
	e := s.interval(value, d)
	switch {
	case !s.isChance():
	case e.Spans < fewest:
		e.Low, e.High = math.Inf(-1), math.Inf(1)
	case unseen > e.High-value:
		e.High = math.Inf(1)
	}
	return e
}

// tells reports whether it is known at all how far an estimate may be off.
func (s *Sample) tells(d deviation) bool {
	return !math.IsInf(d.variance, 1) && s.tally.Unweighted == 0 && !(s.chance && len(s.observations) == 0)
}

// isChance reports whether any observation was left to chance.
func (s *Sample) isChance() bool {
	for _, o := range s.observations {
		if o.draw >= 0 {
			return true
		}
	}
	return false
}

// unknown returns an estimate of which nothing but perhaps the value is known.
func (s *Sample) unknown(value float64) Estimate {
	return Estimate{value, math.Inf(1), math.Inf(-1), math.Inf(1), s.spans()}
}

// interval returns an estimate with Student's interval. On the side to which the values are
// skewed it takes Hall's if that is longer ("On the removal of skewness by transformation",
// Journal of the Royal Statistical Society B 54, 1992).
func (s *Sample) interval(value float64, d deviation) Estimate {
	e := Estimate{Value: value, StdErr: math.Sqrt(d.variance), Low: value, High: value, Spans: s.spans()}
	if !(e.StdErr > 0) {
		return e
	}
	t := d.quantile()
	skew := d.third / (d.variance * e.StdErr)
	e.Low -= max(t, unskewed(t, skew)) * e.StdErr
	e.High += max(t, -unskewed(-t, skew)) * e.StdErr
	return e
}

// unskewed is the inverse of Hall's transformation for an estimate with this skew, at t.
func unskewed(t, skew float64) float64 {
	if math.Abs(skew) < 1e-6 {
		return t
	}
	return 3 / skew * (math.Cbrt(1+skew*(t-skew/6)) - 1)
}

// quantile returns the 97.5 % quantile of Student's distribution with the
// degrees of freedom that the variance has (Satterthwaite, 1946).
func (d *deviation) quantile() float64 {
	freedom := math.Inf(1)
	if d.squares > 0 {
		freedom = d.variance * d.variance / d.squares
	}
	// Rounding may take it below a whole number.
	switch n := math.Floor(freedom * (1 + 1e-9)); {
	case !(n >= 2):
		return 12.706
	case n == 2:
		return 4.303
	default: // The first terms of the series of Abramowitz and Stegun, 26.7.5.
		return 1.95996 + (2.37227+(2.82250+(2.55585+1.58953/n)/n)/n)/n
	}
}

// spans returns how many spans estimates rest on.
func (s *Sample) spans() float64 {
	drawn := s.drawn(nil)
	var sum, squares float64
	for _, w := range drawn {
		sum += w.all
		squares += w.all * w.all
	}
	if len(drawn) == 0 {
		return float64(len(s.observations))
	}
	return sum * sum / squares
}

// drawn returns the weight of each draw that was left to chance, and how much of it has a
// property.
func (s *Sample) drawn(property func(observation) bool) []drawnWeight {
	at := make(map[int]int)
	var weights []drawnWeight
	for _, o := range s.observations {
		if o.draw < 0 {
			continue
		}
		i, ok := at[o.draw]
		if !ok {
			i = len(weights)
			at[o.draw] = i
			weights = append(weights, drawnWeight{})
		}
		weights[i].all += o.weight
		if property != nil && property(o) {
			weights[i].having += o.weight
		}
	}
	return weights
}

type drawnWeight struct{ all, having float64 }

// blind is what the variance of a weighted share lacks.
type blind struct {
	variance float64 // of the weight of those that have a property
	block    float64 // the weight of a draw, in the mean over all weight
	number   float64 // of draws of equal weight that would tell as much
}

// blindness returns what a variance lacks if all of the draws have a property, or none, or
// all but one. Then the draws seem to be alike, and so do those that were not drawn. Half a
// draw more on each side, as Jeffreys adds to shares, makes up for that.
func (s *Sample) blindness(property func(observation) bool) blind {
	var sum, squares, having float64
	for _, w := range s.drawn(property) {
		sum += w.all
		squares += w.all * w.all
		having += w.having
	}
	if sum == 0 {
		return blind{}
	}
	n := sum * sum / squares
	seen, guess := having/sum, (n*having/sum+0.5)/(n+1)
	return blind{max(guess*(1-guess)-seen*(1-seen), 0) * squares, squares / sum, n}
}

// unseen returns the sum of the uncounted values that are greater than all that were drawn
// by chance. Values like these are in no estimate.
func (s *Sample) unseen() (sum float64) {
	greatest := math.Inf(-1)
	for _, o := range s.observations {
		if o.draw >= 0 {
			greatest = max(greatest, o.value)
		}
	}
	for _, v := range s.uncounted {
		if v > greatest {
			sum += v
		}
	}
	return sum
}
