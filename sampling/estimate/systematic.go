// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// A budget is shared among relays by systematic sampling with probability proportional to
// size, and each relay chooses uniformly from its recipients. No estimate of the variance is
// unbiased there, because relays that follow each other are hardly ever chosen together
// (Tillé, Sampling Algorithms, 2006, chapter 7). This is the variance of sampling with the
// same probabilities and the greatest entropy at a fixed size, as Hájek (1964) and Deville
// (1999) approximate it: Σ(1-π)(z-z̄)²·m/(m-1), about the mean z̄ with the weights 1-π.
// Systematic sampling is seldom worse.

// group holds the sums for such an estimate.
type group struct {
	z     []float64
	spare []float64 // 1-π
	zeros int       // how many more there are that do not show up
	other float64   // 1-π of these
}

func (g *group) add(z, spare float64) {
	g.z = append(g.z, z)
	g.spare = append(g.spare, spare)
}

func (g *group) size() int { return len(g.z) + g.zeros }

func (g *group) mean() float64 {
	var sum float64
	weights := g.other * float64(g.zeros)
	for i, z := range g.z {
		sum += g.spare[i] * z
		weights += g.spare[i]
	}
	if weights == 0 {
		return 0
	}
	return sum / weights
}

// deviation returns the deviation about centre. A group of one has its distance from what
// surrounds it.
func (g *group) deviation(centre, correction float64) (d deviation) {
	m := float64(g.size())
	factor := 2.0
	if m > 1 {
		factor = max(m/(m-1), correction)
	}
	variance := g.other * float64(g.zeros) * centre * centre
	d.third = -variance * centre
	for i, z := range g.z {
		off := offset(z, centre)
		variance += g.spare[i] * off * off
		d.third += g.spare[i] * off * off * off
	}
	d.add(factor*variance, g.size()-1)
	return d
}

// ofRelays returns the deviation of the choice of relays. Relays that get at least one span
// for certain add nothing themselves. But they may get one more, so that the number of the
// others varies.
func (f *fanout) ofRelays(members []member, correction float64) deviation {
	var g group
	certain := false
	for _, m := range members {
		if m.factor > 1+tolerance {
			g.add(m.z, 1-1/m.factor)
		} else {
			certain = true
		}
	}
	if len(g.z) == 0 {
		return deviation{}
	}
	for _, s := range g.spare {
		g.other += s / float64(len(g.z))
	}
	g.zeros = max(f.step.sampled-len(members), 0)
	if g.size() == 1 {
		return g.deviation(0, correction)
	}
	mean := g.mean()
	d := g.deviation(mean, correction)
	if certain {
		d.variance += mean * mean / 4
	}
	return d
}

// ofShared returns the deviation of the recipients behind relays. A relay with several of
// them is a stratum: a whole number of spans is certain, and a fraction is left to chance.
// All others are one group.
func (f *fanout) ofShared(members []member, correction float64) (d deviation) {
	sampled, sum, spare := 0, 0.0, 0.0
	for _, b := range f.spent.finals {
		sampled += b.sampled
	}
	behind := make(map[spanKey][]member)
	for _, m := range members {
		behind[m.last] = append(behind[m.last], m)
		sum += m.z
		spare += (1 - 1/m.factor) / float64(len(members))
	}
	if sampled < len(members) || sampled < 2 {
		return eachAlone(members, correction)
	}
	centre := sum / float64(sampled)
	singles := group{other: spare}
	between, number, strata := 0.0, 0.0, 0
	for _, b := range f.spent.finals {
		own := behind[b.key]
		spread := b.spread(own)
		number += spread
		if b.sampled < 2 {
			for _, m := range own {
				singles.add(m.z, 1-1/m.factor)
			}
			singles.zeros += max(b.sampled-len(own), 0)
			continue
		}
		within, mean := b.within(own)
		d.include(within, 1)
		off := offset(mean, centre)
		between += spread * off * off
		strata++
	}
	if singles.size() > 0 {
		about := centre
		if singles.size() > 1 {
			about = singles.mean()
		}
		d.include(singles.deviation(about, correction), 1)
	}
	if f.spent.partly { // Then how many were chosen here is left to chance, too.
		between += number * centre * centre
	}
	d.widen(between, float64(strata+singles.size()))
	return d
}

// within returns the deviation of the choice at b, and the mean of all that were chosen.
func (b final) within(own []member) (d deviation, mean float64) {
	for _, m := range own {
		mean += m.z / float64(b.sampled)
	}
	if len(own) > 0 && b.sampled < b.size {
		f := fanout{step: step{size: b.size, sampled: b.sampled}}
		d = f.ofUniform(own, 0, 1)
	}
	return d, mean
}

// spread returns the variance of how many b chooses, for each that it chooses. That number is
// the share of the budget, rounded down or up.
func (b final) spread(own []member) float64 {
	const rounded = 1e-9 // how far the share may be off
	if len(own) == 0 {
		return 0.25 // at most
	}
	share := float64(b.size) / own[0].factor
	if share < 1 {
		return 1 - share
	}
	_, fraction := math.Modf(share + rounded)
	if fraction <= 2*rounded {
		return 0
	}
	return fraction * (1 - fraction)
}
