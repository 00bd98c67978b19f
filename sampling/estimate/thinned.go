// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// A fan-out chooses recipients uniformly, and of those of each sort a share is left if that
// has a limit of its own, rounded down or up: sampling in two phases (Cochran, chapter 12).
// Those of one sort are known by standing for as many.

// maxClasses is how many sorts there may be, so that hostile spans take no time.
const maxClasses = 100

// class is what was left of a sort.
type class struct {
	members []member
	factor  float64
	sampled int // those included that do not show up
}

// ofThinned is that of the choice within each sort, of how many of each were chosen before,
// and of the rounding.
func (f *fanout) ofThinned(members []member, correction float64) (d deviation) {
	classes := f.classes(members)
	if classes == nil {
		return eachAlone(members, correction)
	}
	var sum, weights float64
	least := math.Inf(1)
	for _, c := range classes {
		least = min(least, c.factor)
		weights += float64(c.sampled) * c.factor
		for _, m := range c.members {
			sum += m.z
		}
	}
	for _, c := range classes {
		own, total := fanout{step: step{sampled: c.sampled}}, 0.0
		own.step.size = max(int(math.Round(float64(c.sampled)*c.factor)), c.sampled)
		for _, m := range c.members {
			total += m.z
		}
		d.include(own.ofUniform(c.members, 0, correction), 1)
		mean := total / float64(c.sampled)
		rounding := 0.25 // at most
		if len(classes) == 1 {
			_, fraction := math.Modf(float64(f.step.size) / c.factor)
			rounding = fraction * (1 - fraction)
		}
		// The first choice was of as many at least as would stand for the fewest.
		off := offset(mean/c.factor, sum/weights)
		d.variance += rounding*mean*mean + least*float64(c.sampled)*c.factor*off*off
	}
	return d
}

// classes returns what was left of each sort. It returns nil if recipients cannot have been
// chosen like that, by what they stand for together.
func (f *fanout) classes(members []member) (classes []class) {
	for _, m := range members {
		i := slices.IndexFunc(classes, func(c class) bool { return near(m.factor, c.factor) })
		if i < 0 {
			i = len(classes)
			if i == maxClasses {
				return nil
			}
			classes = append(classes, class{factor: m.factor})
		}
		classes[i].members = append(classes[i].members, m)
	}
	absent := f.step.sampled - len(members)
	if absent < 0 {
		return nil
	}
	var all, most float64
	for i := range classes {
		c := &classes[i]
		share := float64(len(c.members)) / float64(len(members))
		c.sampled = len(c.members) + int(math.Round(share*float64(absent)))
		all += float64(c.sampled) * c.factor
		most += c.factor
	}
	if absent == 0 && !(math.Abs(all-float64(f.step.size)) <= most+0.2*float64(f.step.size)) {
		return nil
	}
	return classes
}
