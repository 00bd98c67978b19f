// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// Sample collects observations and estimates from them what all recipients
// together would have shown. The zero value is empty and ready for use. A Sample
// must not be copied once it is in use, and not be used by several goroutines
// at once; let each have its own, and [Sample.Merge] them.
//
// It keeps every observation, in 40 bytes, and 24 more if it has a [Stage]; the
// keys of fan-outs and recipients, once each, are kept too. Each estimate takes
// time in proportion to the number of observations; a quantile sorts them too.
type Sample struct {
	observations []observation
	plan         design
	shed         map[string]struct{} // the keys of fan-outs to leave out
	exemplars    int
	invalid      int
	unweighted   int
	belowShed    int
}

type observation struct {
	value, weight float64
	kept          float64 // with what probability, of its sort
	unit          int     // the recipient it came from, or one of those below
	fanout        int     // the nearest fan-out above it, or none
}

const (
	none   = -1 // chosen by nobody, or alone, by no known fan-out
	lumped = -2 // one with all others below its outermost fan-out
)

// Add takes in one observation. Weight is how many recipients it stands for: see
// [Weight]. One of weight 0 is an exemplar, counted by [Sample.Tally] and in no
// estimate. Values that are NaN, infinite or beyond ±1e100, and weights that are
// NaN, below 1 or above 1e15, are left out and counted too.
//
// Stages are the fan-outs that the observation came through, the outermost
// first. They change no estimate, but its standard error: see [Stage].
func (s *Sample) Add(value, weight float64, stages ...Stage) {
	switch {
	case !(math.Abs(value) <= maxValue): // Also true for NaN.
		s.invalid++
	case weight == 0:
		s.exemplars++
	case !validWeight(weight):
		s.invalid++
	default:
		weight = max(weight, 1)
		unit, fanout := s.plan.place(weight, stages)
		kept := 1.0
		if n := len(stages); n > 0 {
			kept = stages[n-1].kept()
		}
		s.observations = append(s.observations, observation{value, weight, kept, unit, fanout})
	}
}

// Shed leaves out what came through the fan-out of that key, as [Stage] has it,
// whether it was added before or is added later. It is for broadcasts, those of
// relays as well, whose own span says that a cap took effect ([IsShed]): nothing
// stands for those of their recipients that have no late span.
func (s *Sample) Shed(fanout string) {
	if fanout == "" {
		return
	}
	if s.shed == nil {
		s.shed = make(map[string]struct{})
	}
	s.shed[fanout] = struct{}{}
}

// Merge adds all that other has collected, and leaves it as it is. Fan-outs of
// one key are one fan-out, so collectors that saw different recipients of a
// broadcast can be merged.
func (s *Sample) Merge(other *Sample) {
	if other == nil {
		return
	}
	added := other.observations // As they are now: other may be s.
	fanouts, units := s.plan.merge(&other.plan)
	for _, o := range added {
		if o.unit >= 0 {
			o.unit = units[o.unit]
		}
		if o.fanout >= 0 {
			o.fanout = fanouts[o.fanout]
		}
		s.observations = append(s.observations, o)
	}
	for key := range other.shed {
		s.Shed(key)
	}
	s.exemplars += other.exemplars
	s.invalid += other.invalid
	s.unweighted += other.unweighted
	s.belowShed += other.belowShed
}

// Tally says what became of the observations that were added.
type Tally struct {
	Counted   int // taken into estimates
	Exemplars int // of weight 0
	Shed      int // left out because of [Sample.Shed]
	Invalid   int // left out because value or weight made no sense
	// Unweighted are left out because they are below a fan-out and nothing says what
	// they stand for. Estimates do not know then how far they are off.
	Unweighted int
}

// Tally returns how many observations count, and how many do not, and why.
func (s *Sample) Tally() Tally {
	t := Tally{Exemplars: s.exemplars, Invalid: s.invalid, Unweighted: s.unweighted, Shed: s.belowShed}
	shed := s.plan.hidden(s.shed)
	for _, o := range s.observations {
		if o.fanout >= 0 && shed[o.fanout] {
			t.Shed++
		} else {
			t.Counted++
		}
	}
	return t
}

// counted returns the observations that count.
func (s *Sample) counted() []observation {
	if len(s.shed) == 0 {
		return s.observations
	}
	shed := s.plan.hidden(s.shed)
	kept := make([]observation, 0, len(s.observations))
	for _, o := range s.observations {
		if o.fanout < 0 || !shed[o.fanout] {
			kept = append(kept, o)
		}
	}
	return kept
}
