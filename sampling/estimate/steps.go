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

// maxHops is how many fan-outs above a span are looked at: more than there can be.
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

// standing is what span i stands for in its trace, by what it says or what is above it
// says; NaN if nothing does.
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

// steps returns the choices that span i came through, the outermost first, and the key
// of the fan-out above it if that did not choose it.
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

// origin is the trace that r's goes on from, r being the outermost span that there is: a
// linked trace was kept or not with that of its broadcast, also if that span is missing.
func (r *record) origin() trace.TraceID {
	if r.above.valid() {
		return r.above.trace
	}
	return r.id.trace
}

// missing is the step of a fan-out above the outermost span, of which there is no span.
// If nothing more is known, all that came through it is one unit.
func (r *record) missing(weight float64) step {
	key := r.above
	if !key.valid() {
		key = r.id
	}
	chosen := math.Round(float64(r.size) * r.probability)
	if r.cast == nil && chosen >= 1 && near(float64(r.size)/chosen, weight) {
		return step{
			method: uniform, fanout: key, unit: r.id, factor: weight, size: r.size, sampled: int(chosen),
		}
	}
	return step{method: alone, fanout: key, unit: key, factor: weight}
}

// step returns the step that begins at hop n, and the last hop that it takes. What
// follows below the hops stands for weight.
func (t *tree) step(hops []hop, n int, weight float64) (step, int) {
	below := func(n int) float64 {
		if n+1 < len(hops) {
			return hops[n+1].weight
		}
		return weight
	}
	b := &t.records[hops[n].broadcast]
	last := n
	for last < len(hops) && t.records[hops[last].broadcast].cast.budget >= 0 {
		last++
	}
	switch {
	case last == len(hops): // It ends at a relay.
		last--
		st := step{method: relays, fanout: b.id, unit: t.records[hops[last].unit].id, sampled: b.cast.sampled}
		st.factor = below(last) / hops[n].weight
		return st.sane(), last
	case last > n && hops[last].weight > hops[n].weight*(1+tolerance) && t.records[hops[last].broadcast].cast.sampled > 1:
		// A budget of more than one is one at least for certain: relays were left out.
		st := step{method: relays, fanout: b.id, unit: t.records[hops[last-1].unit].id, sampled: b.cast.sampled}
		st.factor = hops[last].weight / hops[n].weight
		return st.sane(), last - 1
	case last > n:
		f := &t.records[hops[last].broadcast]
		st := step{
			method: shared, fanout: b.id, unit: t.records[hops[last].unit].id, last: f.id,
			size: f.cast.size, sampled: f.cast.sampled, factor: below(last) / hops[n].weight,
		}
		return st.sane(), last
	}
	st := step{
		method: uniform, fanout: b.id, unit: t.records[hops[n].unit].id,
		size: b.cast.size, sampled: b.cast.sampled, factor: below(n) / hops[n].weight,
	}
	switch {
	case near(st.factor, float64(b.cast.size)/float64(b.cast.sampled)):
	case b.cast.sampled == 1 && st.factor > float64(b.cast.size):
		st.method = seldom
	default:
		st.method = thinned
	}
	return st.sane(), n
}

// sane makes one draw of what nothing is known of.
func (s step) sane() step {
	if !(s.factor >= 1-tolerance) { // Also true for NaN.
		return step{method: alone, fanout: s.fanout, unit: s.fanout, factor: math.Inf(1)}
	}
	s.factor = max(s.factor, 1)
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= tolerance*b }
