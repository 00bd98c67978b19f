// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

// method is how a fan-out, or a sampler, has chosen.
type method uint8

const (
	// Of N recipients k, each set of them equally likely.
	uniform method = iota
	// The same, but some of them were left out afterwards, perhaps by sorts: so many that
	// a share of each is left, rounded down or up.
	thinned
	// Of N recipients one at most, and often nobody.
	seldom
	// Each unit by itself, with one over its factor for its probability.
	alone
	// Relays, by their sizes: those that a budget was shared out to.
	relays
	// The recipients behind those, at the end of all relays.
	shared
)

// step is a choice on the way to a span: that of a unit by a fan-out.
type step struct {
	method  method
	fanout  spanKey // the broadcast's span, or what else tells fan-outs apart
	unit    spanKey // the recipient's span, or what else tells units apart
	factor  float64 // how many units of the fan-out this one stands for
	size    int     // N; of the last fan-out, if shared
	sampled int     // k of these
	last    spanKey // of shared, the last fan-out
}

// none is the index of what there is not.
const none = -1

// design is how the observations of a sample were chosen: a forest of fan-outs, whose
// units may have fan-outs in turn. What is above has the smaller index.
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

// spent is what became of a budget.
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

// place makes room for what was chosen by these steps, the outermost first. It returns
// the innermost unit and the outermost one that was left to chance, or none.
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

// notChosen takes note of an observation below a fan-out that did not choose it: it is
// there because all of its sort are.
func (d *design) notChosen(fanout spanKey) {
	if d.certain == nil {
		d.certain = make(map[spanKey]int)
	}
	d.certain[fanout]++
}
