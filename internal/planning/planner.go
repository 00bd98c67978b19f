// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/sampling"
)

// Planner is all that a plan depends on. It is a value; only the rates in it,
// if any, are shared between plans. The zero value plans as the zero
// [sampling.GroupConfig] has it. A random source is used only during the call.
type Planner struct {
	// Config says how many to sample.
	Config sampling.GroupConfig
	// Above is what the message that fans out stands for. If it has a budget, as
	// many are chosen. But it may come from another program: there is never more than
	// one above what Config would choose by itself, and all rates and caps hold. Where
	// there is any, and Config would choose less than one on average, so does a budget.
	Above fanout.Fanout
	// Rate is the load of all fan-outs that share Config's rates. Nil leaves
	// them out of account.
	Rate *spanrate.Rate
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
	Rate *spanrate.Rate
	// SpansPerSecond and MaxSpansPerSecond are as in [sampling.GroupConfig].
	SpansPerSecond, MaxSpansPerSecond float64
	// Share is the share of the recipients that are about the limit, in (0, 1].
	Share float64
}

// Plan chooses which of n recipients are sampled: k = ⌊k̄⌋ or ⌈k̄⌉ of them, at random
// so that the mean of k is k̄, every set of k equally likely. It draws k random numbers
// (none if all n are sampled), and one more if k̄ is not whole. Up to 64 sampled it
// allocates Sampled and nothing else, unless a limit holds some back.
func (pl Planner) Plan(n int) Plan {
	draw := pl.source()
	n = max(n, 0)
	b := pl.budget(n, draw)
	factors := pl.factors(b)
	p := Plan{Size: n, Expected: b.expected * pl.left(factors), above: pl.Above, mean: b.mean / b.reached}
	if b.spans > 0 {
		p.Sampled = choose(make([]int, 0, b.spans), n, b.spans, draw.intN)
	}
	p.Sampled = p.Sampled[:pl.thin(p.Sampled, factors, draw, func(to, from int) { p.Sampled[to] = p.Sampled[from] })]
	if !pl.admit(pl.about(p.Sampled, func(int) int { return 1 })) {
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

// budget is how many of some recipients are sampled, as far as that is the same
// for all of them.
type budget struct {
	spans    int     // k
	mean     float64 // what spans is on average, k itself where a plan may take that as given
	reached  float64 // the probability that the budget above reached this fan-out at all
	expected float64 // what spans is on average, once it was reached
	keep     float64 // what share of spans is left, of all recipients alike
}

// budget returns how many of n recipients are sampled.
func (pl *Planner) budget(n int, draw source) budget {
	if n == 0 {
		return budget{reached: 1, keep: 1}
	}
	expected := expected(&pl.Config, n)
	if pl.Above.Budget > 0 {
		spans := limit(&pl.Config, n)
		if expected < float64(spans) { // Not otherwise: it may be more than an int can say.
			spans = min(int(expected)+1, spans)
		}
		b := share(pl.Above, spans)
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

// expected is k̄, the mean number of recipients sampled out of n, as long as no rate
// asks for less.
func expected(c *sampling.GroupConfig, n int) float64 {
	if n <= 0 {
		return 0
	}
	return min(float64(n)*c.Curve.Probability(n), float64(limit(c, n)))
}

// limit is how many of n may be sampled at most.
func limit(c *sampling.GroupConfig, n int) int {
	if c.MaxSpans > 0 {
		return min(n, c.MaxSpans)
	}
	return n
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
