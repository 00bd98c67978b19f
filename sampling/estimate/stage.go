// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

// Stage is one fan-out on the way to an observation: Chosen of its Size
// recipients kept the trace, each set of them equally likely. A sample that knows
// it gives the standard error that such a choice has; without it, a larger one.
//
// The weight of an observation should be what its stages come to, Size/Chosen
// multiplied. Where it is more, because stages above are not given or because a
// broadcast chooses one recipient only now and then, all that came through the
// outermost stage given is taken for one independent draw. Where it is less, the
// innermost stages did not choose the observation: it is there because all of
// its sort are, as with slow handlings that are counted as a stratum.
type Stage struct {
	// Fanout tells fan-outs apart: the ID of the broadcast's span will do.
	// A stage without is ignored.
	Fanout string
	// Size and Chosen are the numbers of recipients, N, and of those chosen, k.
	// Recipients that were chosen and show up in no observation are taken for
	// zeros, so a sample may hold some sort of spans only. Both are zero if they
	// are not known: then all that came through the fan-out is one draw.
	Size, Chosen int
	// Kept is the probability with which the observation was kept because it is of
	// some sort, each of them alone, and whatever the choice of recipients; as with
	// slow handlings that count as a stratum, where there are too many. One over
	// that is part of its weight. Zero means that this is not so.
	Kept float64
	// Recipient tells the recipients of the fan-out apart. It is needed where
	// there can be more than one observation for a recipient, for instance of
	// spans below its own. Without it each observation is a recipient, or if
	// there is a further stage, each fan-out of that.
	Recipient string
}

// factor is how much the stage adds to a weight: N/k.
func (s Stage) factor() float64 {
	if !s.known() {
		return 1
	}
	return float64(s.Size) / float64(s.Chosen)
}

// kept is the share of its sort that the observation stands for.
func (s Stage) kept() float64 {
	if s.Kept > 0 && s.Kept < 1 {
		return s.Kept
	}
	return 1
}

func (s Stage) known() bool { return s.Chosen >= 1 && s.Size >= s.Chosen }

// design is how the observations were chosen: a forest of fan-outs, whose
// recipients may have fan-outs in turn. What is above has the smaller index.
type design struct {
	fanouts  []fanout
	units    []unit
	byKey    map[fanoutKey]int
	byMember map[unitKey]int
}

type fanoutKey struct {
	above int // the fan-out above, or none
	key   string
}

type fanout struct {
	fanoutKey
	unit         int // the recipient above, or none if it does not matter
	size, chosen int // 0 until known
}

type unitKey struct {
	fanout    int
	recipient string // "" if it has but one observation
}

// unit is a recipient.
type unit struct{ unitKey }

// place finds where an observation belongs, and makes room for it.
func (d *design) place(weight float64, stages []Stage) (unitIndex, fanoutIndex int) {
	unitIndex, fanoutIndex = none, none
	if n := len(stages); n > 0 {
		weight *= stages[n-1].kept() // That is no fan-out's.
	}
	explained, chosen := 1.0, true
	for i, st := range stages {
		if st.Fanout == "" {
			continue
		}
		above := none
		if chosen {
			above = unitIndex
		}
		fanoutIndex = d.fanoutAt(fanoutKey{fanoutIndex, st.Fanout}, above, st)
		factor := st.factor()
		if chosen = chosen && explained*factor <= weight*(1+tolerance); !chosen || !st.known() {
			continue
		}
		explained *= factor
		unitIndex = d.unitAt(unitKey{fanoutIndex, recipient(stages[i:])})
	}
	if fanoutIndex != none && explained < weight*(1-tolerance) {
		unitIndex = lumped
	}
	return unitIndex, fanoutIndex
}

// recipient is the key of the first stage's recipient.
func recipient(stages []Stage) string {
	if stages[0].Recipient != "" || len(stages) == 1 {
		return stages[0].Recipient
	}
	return stages[1].Fanout
}

func (d *design) fanoutAt(key fanoutKey, above int, st Stage) int {
	i, ok := d.byKey[key]
	if !ok {
		if d.byKey == nil {
			d.byKey = make(map[fanoutKey]int)
		}
		i = len(d.fanouts)
		d.byKey[key] = i
		d.fanouts = append(d.fanouts, fanout{fanoutKey: key, unit: none})
	}
	f := &d.fanouts[i]
	if f.unit < 0 {
		f.unit = above
	}
	if st.known() {
		f.size, f.chosen = max(f.size, st.Size), max(f.chosen, st.Chosen)
	}
	return i
}

func (d *design) unitAt(key unitKey) int {
	if key.recipient != "" {
		if i, ok := d.byMember[key]; ok {
			return i
		}
		if d.byMember == nil {
			d.byMember = make(map[unitKey]int)
		}
		d.byMember[key] = len(d.units)
	}
	d.units = append(d.units, unit{key})
	return len(d.units) - 1
}

// merge adds other to d and returns where its fan-outs and units are in d.
func (d *design) merge(other *design) (fanouts, units []int) {
	fanouts, units = make([]int, len(other.fanouts)), make([]int, len(other.units))
	for i, f := range other.fanouts { // What is above comes first.
		if f.above >= 0 {
			f.above = fanouts[f.above]
		}
		fanouts[i] = d.fanoutAt(f.fanoutKey, none, Stage{Size: f.size, Chosen: f.chosen})
	}
	for i, u := range other.units[:len(units)] {
		units[i] = d.unitAt(unitKey{fanouts[u.fanout], u.recipient})
	}
	for i, f := range other.fanouts[:len(fanouts)] {
		if mine := &d.fanouts[fanouts[i]]; f.unit >= 0 && mine.unit < 0 {
			mine.unit = units[f.unit]
		}
	}
	return fanouts, units
}

// hidden returns which fan-outs are among the keys, or below one that is.
func (d *design) hidden(keys map[string]struct{}) []bool {
	shed := make([]bool, len(d.fanouts))
	if len(keys) == 0 {
		return shed
	}
	for i, f := range d.fanouts {
		_, shed[i] = keys[f.key]
		shed[i] = shed[i] || f.above >= 0 && shed[f.above]
	}
	return shed
}

// outermost returns the fan-out that i is below.
func (d *design) outermost(i int) int {
	for d.fanouts[i].above >= 0 {
		i = d.fanouts[i].above
	}
	return i
}
