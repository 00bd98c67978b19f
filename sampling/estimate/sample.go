// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// Sample holds the values of selected spans, and estimates from them what all spans would
// have shown. [Spans] makes it. It does not change, and several goroutines may use it at
// once.
//
// It keeps some 40 bytes for each span, and 100 for each that was left to chance. An estimate
// takes time in proportion to the number of spans. A quantile sorts them too.
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
	unit          int  // the innermost unit above it, or none
	draw          int  // the outermost unit above it that was left to chance, or none
	whole         bool // it is all of its unit, and no unit of its fan-out is missing
}

// Tally says what became of the spans that were selected.
type Tally struct {
	// Counted counts the spans that estimates rest on.
	Counted int
	// Uncounted counts the spans that are in no estimate, because they stand for nobody:
	// late spans of weight 0, and spans below a broadcast on which a cap took effect. How
	// many messages estimates lack because of the cap is in [Deliveries].
	Uncounted int
	// Unweighted counts the spans that were left out because they are below a fan-out and
	// nothing says what they stand for. Estimates do not know then how far they are off.
	Unweighted int
	// Invalid counts the spans that were left out because their value or weight made no
	// sense.
	Invalid int
}

// Tally returns how many spans count, and how many do not and why.
func (s *Sample) Tally() Tally { return s.tally }

// add adds span i with that value.
func (s *Sample) add(t *tree, i int32, value float64) {
	r := &t.records[i]
	weight := r.weight
	if math.IsNaN(weight) && t.near[i] < 0 {
		weight = 1
	}
	switch {
	case t.shed[i]:
		s.tally.Uncounted++
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

// isWhole reports whether each recipient is known to have exactly one span like span i. That
// is so for the handlings of a broadcast that nobody refused.
func (t *tree) isWhole(i int32) bool {
	b := t.near[i]
	return b < 0 || t.unit[i] == i && t.records[i].fate == handled && t.records[b].broadcast.refused == 0
}
