// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math/rand/v2"
	"time"
)

// Planner is all that a plan depends on. It is a value; only the rates in it,
// if any, are shared between plans. The zero value plans as the zero [Config] does.
type Planner struct {
	// Config says how many to choose.
	Config Config
	// Above is what the message that fans out stands for. If it has a budget,
	// that says how many to choose, not Config's curve and the rates; all caps
	// still hold.
	Above Fanout
	// Rate is the load of all fan-outs that share Config's rates. Nil leaves
	// them out of account.
	Rate *Rate
	// Limits are what else bounds the rate, such as those of the recipients'
	// kinds. The scarcest of all counts.
	Limits []Limit
	// Now is the time for Rate and Limits.
	Now time.Duration
	// Random is where random numbers come from; nil is the runtime's generator.
	Random *rand.Rand
}

// Limit is a rate that a fan-out shares with others to which it has not all of
// its recipients in common.
type Limit struct {
	// Rate is the load of all that share the limit. Nil limits nothing.
	Rate *Rate
	// SpansPerSecond and MaxSpansPerSecond are as in [Config].
	SpansPerSecond, MaxSpansPerSecond float64
	// Share is the share of the recipients that the limit is about, in (0, 1].
	Share float64
}

// Plan chooses which of n recipients keep the trace, each set of as many equally
// likely. It costs what [Config.Plan] does.
func (pl Planner) Plan(n int) Plan { return pl.PlanInto(nil, n) }

// PlanInto is [Planner.Plan] with Chosen appended to buf[:0], so that a buffer
// can be used again.
func (pl Planner) PlanInto(buf []int, n int) Plan {
	return pl.planInto(buf, n)
}

// planInto has a pointer because a Planner is large to copy.
func (pl *Planner) planInto(buf []int, n int) Plan {
	draw := runtimeSource
	if pl.Random != nil {
		draw = source{pl.Random.IntN, pl.Random.Float64}
	}
	n = max(n, 0)
	b := pl.budget(n, draw)
	p := Plan{Size: n, Expected: b.expected, Shed: b.shed, mean: b.mean / b.reached}
	if cap(buf) < b.spans {
		buf = make([]int, 0, b.spans)
	}
	p.Chosen = choose(buf[:0], n, b.spans, draw.intN)
	return p
}

// budget is how many of some recipients keep the trace.
type budget struct {
	spans    int     // k
	mean     float64 // what spans is on average, k itself where a plan may take that as given
	reached  float64 // the probability that the budget above reached this fan-out at all
	expected float64 // what spans is on average, once it was reached
	shed     bool
}

// budget returns how many of n recipients keep the trace.
func (pl *Planner) budget(n int, draw source) budget {
	b := budget{reached: 1}
	switch {
	case n == 0:
		return b
	case pl.Above.Budget > 0:
		b = pl.Above.share(pl.Config.limit(n))
	default:
		b.expected = pl.Config.Expected(n)
		b.expected *= pl.factor(b.expected)
		b.spans = draw.round(b.expected)
		b.mean = float64(b.spans)
		if b.expected < 1 {
			b.mean = b.expected
		}
	}
	if !pl.admit(b.spans) {
		b.spans, b.shed = 0, true
	}
	return b
}

// factor returns by what to multiply expected so that it is within all rates.
func (pl *Planner) factor(expected float64) float64 {
	own, least := pl.Rate.Factor(pl.Config.SpansPerSecond, expected, pl.Now), 1.0
	for _, l := range pl.Limits {
		least = min(least, l.Rate.Factor(l.SpansPerSecond, own*expected*l.Share, pl.Now))
	}
	return own * least
}

// admit reports whether spans are within all caps, and counts them against them.
func (pl *Planner) admit(spans int) bool {
	if !pl.Rate.admit(pl.Config.MaxSpansPerSecond, float64(spans), pl.Now) {
		return false
	}
	for i, l := range pl.Limits {
		if l.Rate.admit(l.MaxSpansPerSecond, l.Share*float64(spans), pl.Now) {
			continue
		}
		pl.Rate.refund(pl.Config.MaxSpansPerSecond, float64(spans))
		for _, l := range pl.Limits[:i] {
			l.Rate.refund(l.MaxSpansPerSecond, l.Share*float64(spans))
		}
		return false
	}
	return true
}

// share is what f's budget comes to where at most limit spans can be.
//
// The budget is ⌊e⌋ or ⌈e⌉, where e is its mean. limit is a whole number, and so
// not between the two: it cuts both of them to limit, or neither. Therefore the
// mean of what is left is exactly min(e, limit), and what is left is again that
// rounded down or up.
func (f Fanout) share(limit int) budget {
	b := budget{
		spans:   min(f.Budget, limit),
		mean:    min(f.MeanBudget, float64(limit)),
		reached: min(f.MeanBudget, 1), // What is below one is zero or one.
	}
	b.expected = b.mean / b.reached
	return b
}
