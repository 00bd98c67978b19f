// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

// A limit is about some of the recipients of a fan-out, and must hold back no others.
// So recipients are chosen as if there were no limits, and of those chosen that are
// about one, a share keeps the trace, at random. Each of those that are left stands
// for as many more. That is sampling in two phases: unbiased, whatever the first
// phase has chosen (Cochran, Sampling Techniques, 1977, chapter 12).

// factors returns what share of the chosen keeps the trace: of those about each
// limit, and last, of those about none. Nil means that all do.
func (pl *Planner) factors(b budget) []float64 {
	expected := b.expected
	if pl.Above.Budget > 0 { // Its mean is what a peer has said.
		expected = b.keep * float64(b.spans)
	}
	var factors []float64
	if b.keep < 1 {
		factors = pl.sameFactors(b.keep)
	}
	for i, l := range pl.Limits {
		f := l.Rate.Factor(l.SpansPerSecond, expected*l.Share, pl.Now)
		if f == 1 {
			continue
		}
		if factors == nil {
			factors = pl.sameFactors(1)
		}
		factors[i] *= f
	}
	return factors
}

func (pl *Planner) sameFactors(f float64) []float64 {
	factors := make([]float64, len(pl.Limits)+1)
	for i := range factors {
		factors[i] = f
	}
	return factors
}

// left is what share of the chosen keeps the trace on average.
func (pl *Planner) left(factors []float64) float64 {
	if factors == nil {
		return 1
	}
	none := 1.0
	var sum float64
	for i, l := range pl.Limits {
		sum += l.Share * factors[i]
		none -= l.Share
	}
	return sum + max(none, 0)*factors[len(pl.Limits)]
}

// limitOf returns the limit that the recipient at a position is about: an index of
// Limits, len(Limits) if it is about none.
func (pl *Planner) limitOf(position int) int {
	i := 0
	if pl.LimitOf != nil {
		i = pl.LimitOf(position)
	}
	if i < 0 || i >= len(pl.Limits) {
		return len(pl.Limits)
	}
	return i
}

// thin has each limit's share of the chosen keep the trace, rounded down or up, each
// set of as many equally likely. It moves those to the front, in their order, and
// returns how many they are.
//
// It goes through them once and keeps each with the probability of what is still to
// be kept out of what is still to come (Fan, Muller and Rezucha, "Development of
// sampling plans by using sequential (item by item) selection techniques and digital
// computers", Journal of the American Statistical Association 57, 1962).
func (pl *Planner) thin(chosen []int, factors []float64, draw source, move func(to, from int)) int {
	if factors == nil {
		return len(chosen)
	}
	toCome, toKeep := make([]int, len(factors)), make([]int, len(factors))
	for _, position := range chosen {
		toCome[pl.limitOf(position)]++
	}
	for l, f := range factors {
		toKeep[l] = draw.round(f * float64(toCome[l]))
	}
	kept := 0
	for i, position := range chosen {
		l := pl.limitOf(position)
		keep := toKeep[l] == toCome[l] || toKeep[l] > 0 && draw.intN(toCome[l]) < toKeep[l]
		toCome[l]--
		if !keep {
			continue
		}
		toKeep[l]--
		move(kept, i)
		kept++
	}
	return kept
}

// admit reports whether a fan-out is within all caps, and counts it against them. spans
// says how many it samples that are about a limit, or all that it samples if limit is -1.
func (pl *Planner) admit(spans func(limit int) float64) bool {
	if !pl.Rate.Admit(pl.Config.MaxSpansPerSecond, spans(-1), pl.Now) {
		return false
	}
	for i, l := range pl.Limits {
		if l.Rate.Admit(l.MaxSpansPerSecond, spans(i), pl.Now) {
			continue
		}
		pl.Rate.Refund(pl.Config.MaxSpansPerSecond, spans(-1))
		for before, l := range pl.Limits[:i] {
			l.Rate.Refund(l.MaxSpansPerSecond, spans(before))
		}
		return false
	}
	return true
}

// about returns the function that admit needs of the sampled recipients. spans says how
// many the i-th of them is.
func (pl *Planner) about(sampled []int, spans func(i int) int) func(limit int) float64 {
	return func(limit int) (sum float64) {
		for i, position := range sampled {
			if limit < 0 || pl.limitOf(position) == limit {
				sum += float64(spans(i))
			}
		}
		return sum
	}
}
