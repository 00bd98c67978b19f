// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math/rand/v2"
	"time"
)

// Planner is all that a plan depends on. It is a value; only its Rate, if any,
// is shared between plans. The zero value plans as the zero [Config] does.
type Planner struct {
	// Config says how many to choose.
	Config Config
	// Above is what the message that fans out stands for. If it has a budget,
	// that says how many to choose, not Config's curve and rate; Config's caps
	// still hold.
	Above Fanout
	// Rate is the load of all fan-outs that share Config's rates. Nil leaves
	// them out of account.
	Rate *Rate
	// Now is the time for Rate.
	Now time.Duration
	// Random is where random numbers come from; nil is the runtime's generator.
	Random *rand.Rand
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
		if pl.Rate != nil {
			b.expected *= pl.Rate.Factor(pl.Config.SpansPerSecond, b.expected, pl.Now)
		}
		b.spans = draw.round(b.expected)
		b.mean = float64(b.spans)
		if b.expected < 1 {
			b.mean = b.expected
		}
	}
	if pl.Rate != nil && !pl.Rate.admit(pl.Config.MaxSpansPerSecond, b.spans, pl.Now) {
		b.spans, b.shed = 0, true
	}
	return b
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
