// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Planner is all that a plan depends on. It is a value; only the rates in it,
// if any, are shared between plans. The zero value plans as the zero [GroupConfig] does.
type Planner struct {
	// Config says how many to choose.
	Config GroupConfig
	// Above is what the message that fans out stands for. If it has a budget, as
	// many are chosen. But it may come from another program: there is never more than
	// one above what Config would choose by itself, and all rates and caps hold. Where
	// there is any, and Config would choose less than one on average, so does a budget.
	Above fanout.Fanout
	// Rate is the load of all fan-outs that share Config's rates. Nil leaves
	// them out of account.
	Rate *Rate
	// Limits are what else bounds the rate, each for some of the recipients: those of
	// a kind, for instance. None holds the others back.
	Limits []Limit
	// LimitOf says which of Limits the recipient at a position is about, by its index
	// there; -1 is none. Nil means that all are about the first.
	LimitOf func(position int) int
	// Now is the time for Rate and Limits.
	Now time.Duration
	// Random is where random numbers come from; nil is the runtime's generator.
	Random *rand.Rand
}

// Limit is a rate that a fan-out shares with others to which it has not all of
// its recipients in common. Each recipient is about one limit at most.
type Limit struct {
	// Rate is the load of all that share the limit. Nil limits nothing.
	Rate *Rate
	// SpansPerSecond and MaxSpansPerSecond are as in [GroupConfig].
	SpansPerSecond, MaxSpansPerSecond float64
	// Share is the share of the recipients that are about the limit, in (0, 1].
	Share float64
}

// Plan chooses which of n recipients keep the trace, each set of as many equally
// likely. It costs what [GroupConfig.Plan] does.
func (pl Planner) Plan(n int) Plan { return pl.PlanInto(nil, n) }

// PlanInto is [Planner.Plan] with Sampled appended to buf[:0], so that a buffer
// can be used again.
func (pl Planner) PlanInto(buf []int, n int) Plan {
	return pl.planInto(buf, n)
}

// planInto has a pointer because a Planner is large to copy.
func (pl *Planner) planInto(buf []int, n int) Plan {
	draw := pl.source()
	n = max(n, 0)
	b := pl.budget(n, draw)
	factors := pl.factors(b)
	p := Plan{Size: n, Expected: b.expected * pl.left(factors), above: pl.Above, mean: b.mean / b.reached}
	if cap(buf) < b.spans {
		buf = make([]int, 0, b.spans)
	}
	p.Sampled = choose(buf[:0], n, b.spans, draw.intN)
	p.Sampled = p.Sampled[:pl.thin(p.Sampled, factors, draw, func(to, from int) { p.Sampled[to] = p.Sampled[from] })]
	if !pl.admit(p.Sampled, func(int) int { return 1 }) {
		p.Sampled, p.Shed = p.Sampled[:0], true
	}
	if factors != nil {
		p.factors = make([]float64, len(p.Sampled))
		for i, position := range p.Sampled {
			p.factors[i] = factors[pl.limitOf(position)]
		}
	}
	return p
}

func (pl *Planner) source() source {
	if pl.Random == nil {
		return runtimeSource
	}
	return source{pl.Random.IntN, pl.Random.Float64}
}

// budget is how many of some recipients keep the trace, as far as that is the same
// for all of them.
type budget struct {
	spans    int     // k
	mean     float64 // what spans is on average, k itself where a plan may take that as given
	reached  float64 // the probability that the budget above reached this fan-out at all
	expected float64 // what spans is on average, once it was reached
	keep     float64 // what share of spans is left, of all recipients alike
}

// budget returns how many of n recipients keep the trace.
func (pl *Planner) budget(n int, draw source) budget {
	if n == 0 {
		return budget{reached: 1, keep: 1}
	}
	expected := pl.Config.Expected(n)
	if pl.Above.Budget > 0 {
		b := share(pl.Above, min(int(expected)+1, pl.Config.limit(n)))
		if pl.bounded() && expected < 1 {
			b.keep = expected // Else a peer could use up what our own messages are to share.
		}
		b.keep *= pl.Rate.Factor(pl.Config.SpansPerSecond, b.keep*float64(b.spans), pl.Now)
		return b
	}
	expected *= pl.Rate.Factor(pl.Config.SpansPerSecond, expected, pl.Now)
	b := budget{spans: draw.round(expected), expected: expected, reached: 1, keep: 1}
	b.mean = float64(b.spans)
	if expected < 1 {
		b.mean = expected
	}
	return b
}

// bounded reports whether there is any rate or cap.
func (pl *Planner) bounded() bool {
	if pl.Rate != nil && (pl.Config.SpansPerSecond > 0 || pl.Config.MaxSpansPerSecond > 0) {
		return true
	}
	return slices.ContainsFunc(pl.Limits, func(l Limit) bool {
		return l.Rate != nil && (l.SpansPerSecond > 0 || l.MaxSpansPerSecond > 0)
	})
}

// share is what f's budget comes to where at most limit spans can be.
//
// The budget is ⌊e⌋ or ⌈e⌉, where e is its mean. limit is a whole number, and so
// not between the two: it cuts both of them to limit, or neither. Therefore the
// mean of what is left is exactly min(e, limit), and what is left is again that
// rounded down or up.
func share(f fanout.Fanout, limit int) budget {
	b := budget{
		spans:   min(f.Budget, limit),
		mean:    min(f.MeanBudget, float64(limit)),
		reached: min(f.MeanBudget, 1), // What is below one is zero or one.
		keep:    1,
	}
	b.expected = b.mean / b.reached
	return b
}
