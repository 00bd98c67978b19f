// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// Sample estimates from the spans that were kept what all together would have shown.
// [Spans] makes it. It does not change; several goroutines may use it at once.
//
// It keeps some 40 bytes for each span, and 100 for each that was left to chance. An
// estimate takes time in proportion to the number of spans; a quantile sorts them too.
type Sample struct {
	observations []observation
	plan         design
	uncounted    []float64 // values of spans that are in no estimate
	tally        Tally
	chance       bool    // anything was left to chance where these are from
	tail         float64 // every value from here on was kept, as a stratum; +Inf if none was
}

type observation struct {
	value, weight float64
	unit          int  // the innermost that it came from, or none
	draw          int  // the outermost that was left to chance, or none
	whole         bool // the unit is nothing else, and nothing of its sort is missing
}

// Tally says what became of the spans that were selected.
type Tally struct {
	Counted   int // taken into estimates
	Uncounted int // of weight 0: late spans of messages that stand for no others
	// Unweighted are left out because they are below a fan-out and nothing says what
	// they stand for. Estimates do not know then how far they are off.
	Unweighted int
	// Shed are left out because they are below a broadcast on which a cap took effect.
	// How many messages were lost to estimates is in [Deliveries].
	Shed    int
	Invalid int // left out because value or weight made no sense
}

// Tally returns how many spans count, and how many do not, and why.
func (s *Sample) Tally() Tally { return s.tally }

// add takes in span i with that value.
func (s *Sample) add(t *tree, i int32, value float64) {
	r := &t.records[i]
	weight := r.weight
	if math.IsNaN(weight) && t.near[i] < 0 {
		weight = 1
	}
	switch {
	case t.shed[i]:
		s.tally.Shed++
	case math.IsNaN(weight):
		s.tally.Unweighted++
	case !(math.Abs(value) <= maxValue) || weight == badWeight:
		s.tally.Invalid++
	case weight == 0:
		s.tally.Uncounted++
		s.uncounted = append(s.uncounted, value)
	default:
		s.tally.Counted++
		scale := t.scale(i)
		steps, notChosen := t.steps(i, scale)
		o := observation{value: value, weight: weight * scale, whole: t.isWhole(i)}
		o.unit, o.draw = s.plan.place(steps, func(outer spanKey) spent { return t.spent[outer] })
		if notChosen.valid() {
			s.plan.notChosen(notChosen)
		}
		s.observations = append(s.observations, o)
	}
}

// isWhole is whether span i is all that a unit has of its sort, and no unit is without:
// that is known of the handling of a broadcast that nobody has refused.
func (t *tree) isWhole(i int32) bool {
	b := t.near[i]
	return b < 0 || t.unit[i] == i && t.records[i].fate == handled && t.records[b].cast.refused == 0
}
