// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import "github.com/waybill-go/waybill/internal/fanout"

// Relays is the plan of a fan-out whose recipients fan out themselves: how many
// spans there may be at the end, and what share of them each relay gets.
type Relays struct {
	// Size is the number of relays, and Total the sum of their sizes.
	Size, Total int
	// Expected is the mean number of final recipients that plans like this
	// choose.
	Expected float64
	// Spans is how many final recipients this one chooses, provided that the
	// relays are as large as was said; never more.
	Spans int
	// Sampled holds the positions of the relays that are sampled, because there
	// is something for them to choose; ascending. It belongs to the caller.
	Sampled []int
	// Shed reports that the rate's last resort left nobody chosen, as in [Plan].
	Shed bool

	above   fanout.Fanout
	reached float64
	shares  []relayShare // of Sampled
}

// relayShare is what one relay gets of a budget.
type relayShare struct {
	spans  int
	mean   float64
	factor float64 // of such relays that kept theirs
}

// Relays plans a fan-out over relays, of which sizes says how many final
// recipients each has, directly or behind relays of its own. The number of spans
// is planned once, as for one fan-out to all of them, and shared out by
// systematic sampling with probability proportional to size (Madow, "On the
// theory of systematic sampling, II", Annals of Mathematical Statistics 20,
// 1949): a relay with n of N recipients gets k·n/N, rounded down or up, at random
// so that this is the mean, and together they get exactly k. So spans never
// exceed the plan, whatever chance does.
//
// sizes need not be exact: with other real sizes all weights stay exact, and only
// the number of spans may be smaller. But a relay of size 0 is never traced: say
// 1 of one that may be empty. Relays that follow each other in sizes are less
// likely to be traced together than by independent choices.
//
// It draws one or two random numbers, in time proportional to the number of
// relays.
func (pl Planner) Relays(sizes []int) Relays {
	draw := pl.source()
	r := Relays{Size: len(sizes), above: pl.Above}
	relays := 0
	for _, size := range sizes {
		if size > 0 {
			r.Total += min(size, fanout.MaxSize)
			relays++
		}
	}
	b := pl.budget(r.Total, draw)
	factors := pl.factors(b)
	r.Expected, r.reached = b.expected*pl.left(factors), b.reached
	if b.spans > 0 {
		room := min(b.spans, relays)
		r.Sampled, r.shares = make([]int, 0, room), make([]relayShare, 0, room)
		r.shareOut(sizes, b, b.phase(draw.float64()))
	}
	r.keep(pl.thin(r.Sampled, factors, draw, func(to, from int) {
		r.Sampled[to], r.shares[to] = r.Sampled[from], r.shares[from]
		r.shares[to].factor = factors[pl.limitOf(r.Sampled[to])]
	}))
	if !pl.admit(pl.about(r.Sampled, func(i int) int { return r.shares[i].spans })) {
		r.keep(0)
		r.Shed = true
	}
	return r
}

// keep leaves the first n of the chosen relays.
func (r *Relays) keep(n int) {
	r.Sampled, r.shares = r.Sampled[:n], r.shares[:n]
	r.Spans = 0
	for _, s := range r.shares {
		r.Spans += s.spans
	}
}

// phase is where in [0, 1) systematic sampling begins. Over all budgets of this
// mean it is uniform: those rounded up have the upper part of it, as long as the
// fraction that was rounded, and those rounded down the lower one. That is how a
// relay takes up the sampling of its own sender where that left off, and its
// relays' budgets, too, are but rounded.
func (b budget) phase(uniform float64) float64 {
	fraction := b.mean - float64(int(b.mean))
	if float64(b.spans) > b.mean {
		return 1 - fraction*(1-uniform)
	}
	return uniform * (1 - fraction)
}

// shareOut gives each relay the whole numbers that its stretch of
// phase + [0, b.mean) passes.
func (r *Relays) shareOut(sizes []int, b budget, phase float64) {
	passed, given := 0, 0
	for i, size := range sizes {
		if size <= 0 {
			continue
		}
		size = min(size, fanout.MaxSize)
		passed += size
		next := int(phase + b.mean*float64(passed)/float64(r.Total))
		if passed == r.Total {
			next = b.spans // Whatever rounding says.
		}
		next = min(max(next, given), b.spans)
		if next > given {
			r.Sampled = append(r.Sampled, i)
			r.shares = append(r.shares, relayShare{next - given, b.mean * float64(size) / float64(r.Total), 1})
		}
		given = next
	}
}

// Recipient returns what the relay at Sampled[i] stands for, with its budget. Its
// weight is that of its own span, which is traced if its budget is not zero; what
// the final recipients stand for follows when it plans its own fan-out with this
// Above.
func (r *Relays) Recipient(i int) fanout.Fanout {
	s := r.shares[i]
	probability := min(s.mean, 1) / r.reached * s.factor
	f := r.above.Below(1/min(probability, 1), r.Size) // Rounding may carry it above 1.
	f.Budget, f.MeanBudget = min(s.spans, fanout.MaxSize), min(s.mean, fanout.MaxSize)
	return f
}
