// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

// method is how a fan-out, or a sampler, has chosen.
type method uint8

const (
	// k of N recipients, each set of k equally likely.
	uniform method = iota
	// The same, but afterwards only a share of each class was kept, rounded down or up.
	thinned
	// At most one of N recipients, and often nobody.
	seldom
	// Each unit independently, with the probability of one over its factor.
	alone
	// Relays, in proportion to their sizes, among which a budget was shared.
	relays
	// The recipients behind all of these relays.
	shared
)

// step is a choice above a span: a fan-out chose a unit.
type step struct {
	method  method
	fanout  spanKey // the broadcast's span, or what else tells fan-outs apart
	unit    spanKey // the recipient's span, or what else tells units apart
	factor  float64 // how many units of the fan-out this one stands for
	size    int     // N; of the last fan-out, if shared
	sampled int     // k of these
	last    spanKey // of shared, the last fan-out
}

// none is an index that stands for no element.
const none = -1

// design says how the observations of a sample were chosen. It is a forest of fan-outs,
// whose units may have fan-outs in turn. Whatever is above has a smaller index.
type design struct {
	fanouts []fanout
	units   []unit
	byKey   map[fanoutKey]int
	byUnit  map[unitKey]int
	certain map[spanKey]int // by fan-out, observations below it that it did not choose
}

type fanoutKey struct {
	method method
	key    spanKey
	above  int // the unit above, or none
}

type fanout struct {
	fanoutKey
	weight float64 // what the unit above stands for; 1 if there is none
	step   step    // the first that was seen
	spent  spent   // if shared
}

// spent says how a budget was spent.
type spent struct {
	finals []final
	partly bool // some was not spent, or nobody knows on what
}

// final is a fan-out to the recipients at the end of relays.
type final struct {
	key           spanKey
	size, sampled int
}

type unitKey struct {
	fanout int
	key    spanKey
}

// unit is a recipient, or a trace that a sampler has chosen.
type unit struct {
	unitKey
	factor float64
	weight float64 // the factors multiplied, its own and those above
	last   spanKey // the last fan-out, if it is shared
}

// place finds the units of these steps, the outermost first, or makes them. It returns the
// innermost unit, and the outermost unit that was left to chance, or none.
func (d *design) place(steps []step, spentOn func(outer spanKey) spent) (innermost, draw int) {
	innermost, draw = none, none
	for _, st := range steps {
		f := d.fanoutAt(innermost, st, spentOn)
		innermost = d.unitAt(f, st)
		if draw == none && st.factor > 1+tolerance {
			draw = innermost
		}
	}
	return innermost, draw
}

func (d *design) fanoutAt(above int, st step, spentOn func(outer spanKey) spent) int {
	key := fanoutKey{st.method, st.fanout, above}
	if i, ok := d.byKey[key]; ok {
		return i
	}
	if d.byKey == nil {
		d.byKey = make(map[fanoutKey]int)
	}
	f := fanout{fanoutKey: key, weight: 1, step: st}
	if above >= 0 {
		f.weight = d.units[above].weight
	}
	if st.method == shared {
		f.spent = spentOn(st.fanout)
	}
	d.byKey[key] = len(d.fanouts)
	d.fanouts = append(d.fanouts, f)
	return len(d.fanouts) - 1
}

func (d *design) unitAt(f int, st step) int {
	key := unitKey{f, st.unit}
	if i, ok := d.byUnit[key]; ok {
		return i
	}
	if d.byUnit == nil {
		d.byUnit = make(map[unitKey]int)
	}
	d.byUnit[key] = len(d.units)
	d.units = append(d.units, unit{
		unitKey: key, factor: st.factor, weight: d.fanouts[f].weight * st.factor,
		last: st.last,
	})
	return len(d.units) - 1
}

// notChosen counts an observation below a fan-out that did not choose it. It is there because
// all of its stratum are.
func (d *design) notChosen(fanout spanKey) {
	if d.certain == nil {
		d.certain = make(map[spanKey]int)
	}
	d.certain[fanout]++
}
