// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// hop is a broadcast above a span, and its recipient on the way there.
type hop struct {
	broadcast, unit int32
	weight          float64 // what the broadcast's span stands for
}

// maxHops is how many fan-outs above a span are read at the most. There cannot be as many.
const maxHops = 64

// hops returns the broadcasts above span i, the outermost first.
func (t *tree) hops(i int32) []hop {
	var hops []hop
	for at := i; t.near[at] >= 0 && len(hops) < maxHops; at = t.near[at] {
		hops = append(hops, hop{t.near[at], t.unit[at], t.standing(t.near[at])})
	}
	slices.Reverse(hops)
	return hops
}

// standing returns what span i stands for in its trace, as it says itself or a span above it
// does. It is NaN if none does.
func (t *tree) standing(i int32) float64 {
	for ; ; i = t.unit[i] {
		switch w := t.records[i].weight; {
		case w >= 1:
			return w
		case t.near[i] < 0:
			return 1
		case t.unit[i] == i:
			return math.NaN()
		}
	}
}

// steps returns the choices above span i, the outermost first. If the nearest fan-out did
// not choose it, notChosen is the key of that.
func (t *tree) steps(i int32, scale float64) (steps []step, notChosen spanKey) {
	r, hops := &t.records[i], t.hops(i)
	kept := r.kept
	weight := t.standing(i) * kept       // Before some of its sort were left out.
	if n := len(hops); n > 0 && r.slow { // One of a stratum, whether the choice fell on it or not.
		last := hops[n-1]
		notChosen, hops = t.records[last.broadcast].id, hops[:n-1]
		if weight > last.weight { // It does not say what share of its sort was kept.
			kept *= last.weight / weight
			weight = last.weight
		}
	}
	top := &t.records[t.top[i]]
	if scale > 1+tolerance {
		steps = append(steps, step{method: alone, unit: spanKey{trace: top.origin()}, factor: scale})
	}
	outermost := weight
	if len(hops) > 0 {
		outermost = hops[0].weight
	}
	if outermost > 1+tolerance {
		steps = append(steps, top.missing(outermost))
	}
	for n := 0; n < len(hops); n++ {
		var st step
		st, n = t.step(hops, n, weight)
		if !(math.Abs(st.factor-1) <= tolerance) || st.method == relays { // Also if it is NaN.
			steps = append(steps, st)
		}
	}
	if kept < 1-tolerance {
		st := step{method: alone, unit: r.id, factor: 1 / kept}
		if len(hops) > 0 {
			st.fanout = t.records[hops[len(hops)-1].broadcast].id
		}
		steps = append(steps, st)
	}
	return steps, notChosen
}

// origin returns the trace from which that of r, the outermost span, goes on. A linked trace
// was kept together with the trace of its broadcast, even if the span of that is missing.
func (r *record) origin() trace.TraceID {
	if r.above.valid() {
		return r.above.trace
	}
	return r.id.trace
}

// missing returns the step of a fan-out whose span is missing above the outermost span. If
// nothing more is known, all spans below it are one unit.
func (r *record) missing(weight float64) step {
	key := r.above
	if !key.valid() {
		key = r.id
	}
	chosen := math.Round(float64(r.size) * r.probability)
	if r.broadcast == nil && chosen >= 1 && near(float64(r.size)/chosen, weight) {
		return step{
			method: uniform, fanout: key, unit: r.id, factor: weight, size: r.size, sampled: int(chosen),
		}
	}
	return step{method: alone, fanout: key, unit: key, factor: weight}
}

// step returns the step that begins at hop n, and the last hop that belongs to it. What
// is below the hops stands for weight.
func (t *tree) step(hops []hop, n int, weight float64) (step, int) {
	below := func(n int) float64 {
		if n+1 < len(hops) {
			return hops[n+1].weight
		}
		return weight
	}
	b := &t.records[hops[n].broadcast]
	last := n
	for last < len(hops) && t.records[hops[last].broadcast].broadcast.budget >= 0 {
		last++
	}
	switch {
	case last == len(hops): // It ends at a relay.
		last--
		st := step{method: relays, fanout: b.id, unit: t.records[hops[last].unit].id, sampled: b.broadcast.sampled}
		st.factor = below(last) / hops[n].weight
		return st.sane(), last
	case last > n && t.startsAnew(hops, n, last):
		st := step{method: relays, fanout: b.id, unit: t.records[hops[last-1].unit].id, sampled: b.broadcast.sampled}
		st.factor = hops[last].weight / hops[n].weight
		return st.sane(), last - 1
	case last > n:
		f := &t.records[hops[last].broadcast]
		st := step{
			method: shared, fanout: b.id, unit: t.records[hops[last].unit].id, last: f.id,
			size: f.broadcast.size, sampled: f.broadcast.sampled, factor: below(last) / hops[n].weight,
		}
		return st.sane(), last
	}
	st := step{
		method: uniform, fanout: b.id, unit: t.records[hops[n].unit].id,
		size: b.broadcast.size, sampled: b.broadcast.sampled, factor: below(n) / hops[n].weight,
	}
	switch {
	case b.broadcast.alone:
		st.method = alone
	case near(st.factor, float64(b.broadcast.size)/float64(b.broadcast.sampled)):
	case b.broadcast.sampled == 1 && st.factor > float64(b.broadcast.size):
		st.method = seldom
	default:
		st.method = thinned
	}
	return st.sane(), n
}

// startsAnew reports whether the choice of the fan-out at hop last is one of its own, and not
// what is left of the budget of the relays at the hops from n on.
func (t *tree) startsAnew(hops []hop, n, last int) bool {
	f := t.records[hops[last].broadcast].broadcast
	// A budget of more than one gives at least one for certain. So relays were left out.
	leftOut := hops[last].weight > hops[n].weight*(1+tolerance) && f.sampled > 1
	return leftOut || f.alone
}

// sane makes a step of which too little is known an independent choice.
func (s step) sane() step {
	if !(s.factor >= 1-tolerance) { // Also true for NaN.
		return step{method: alone, fanout: s.fanout, unit: s.fanout, factor: math.Inf(1)}
	}
	s.factor = max(s.factor, 1)
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= tolerance*b }
