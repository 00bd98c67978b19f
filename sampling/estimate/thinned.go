// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// A fan-out chooses recipients uniformly. If a kind has a limit of its own, a share of its
// recipients is kept then, rounded down or up. That is sampling in two phases (Cochran,
// chapter 12). Recipients of one class are those with the same factor.

// maxClasses is how many classes there may be, so that hostile spans take no time.
const maxClasses = 100

// class is what was kept of a class of recipients.
type class struct {
	members []member
	factor  float64
	sampled int // including those without a span
}

// ofThinned returns the deviation of the choice within each class, of how many of each class
// were chosen before, and of the rounding.
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

// classes returns what was kept of each class. It returns nil if what the members stand for
// together shows that they were not chosen like that.
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
