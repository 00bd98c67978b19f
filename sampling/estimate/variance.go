// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// deviation is how far an estimate may be off.
type deviation struct {
	variance float64
	squares  float64 // of the terms of variance, each by its degrees of freedom
	third    float64 // central moment
}

func (d *deviation) add(variance float64, freedom int) {
	d.variance += variance
	d.squares += variance * variance / float64(max(freedom, 1))
}

// widen adds a variance that has no degrees of freedom of its own. If there is no other
// variance, it has those of number draws.
func (d *deviation) widen(variance, number float64) {
	if d.squares == 0 {
		d.add(variance, int(number)-1)
	} else {
		d.variance += variance
	}
}

// include adds the deviation of what is below a unit that stands for weight.
func (d *deviation) include(o deviation, weight float64) {
	d.variance += o.variance / weight
	d.squares += o.squares / (weight * weight)
	d.third += o.third / (weight * weight)
}

// kind is what there is to know of a quantity.
type kind uint8

const (
	plain   kind = iota
	alike        // it is the same for all recipients
	centred      // a deviation from a centre that was estimated from the observations
)

// deviation returns how far the sum of w·quantity over the observations may be off because of
// the choice of recipients. A centred quantity has one degree of freedom less, and its
// variance is +Inf if the observations are too few for that.
func (d *design) deviation(observations []observation, quantity func(observation) float64, what kind) deviation {
	members, draws := d.tally(observations, quantity)
	var result deviation
	correction := 1.0
	switch {
	case draws.chance == 0: // Nothing was left to chance.
		return result
	case what == centred && draws.all() < 2:
		return deviation{variance: math.Inf(1)}
	case what == centred:
		correction = float64(draws.all()) / float64(draws.all()-1)
	}
	common := d.pooled(members)
	common.alike = what == alike
	of := make(map[spanKey]float64) // the variance of relays, by the fan-out
	for i := range d.fanouts {
		f := &d.fanouts[i]
		own := f.deviation(members[i], d.certain[f.key], common, correction)
		result.include(own, f.weight)
		if v := own.variance / f.weight; f.method == relays || f.method == shared {
			// Relays and the recipients behind them were chosen together. In the worst case
			// their deviations are fully correlated.
			result.variance += 2 * math.Sqrt(of[f.key]*v)
			of[f.key] += v
		}
	}
	return result
}

// member is what a unit contributes.
type member struct {
	*unit
	z    float64
	leaf bool // there is no fan-out below that adds to it
}

// draws counts what was chosen independently at the top.
type draws struct {
	chance  int // units that were left to chance
	certain int // observations that were not
}

func (n draws) all() int { return n.chance + n.certain }

// tally sums up the observations by units. It returns the units of each fan-out that have any
// observation. The contribution of a unit includes all that is below it.
func (d *design) tally(observations []observation, quantity func(observation) float64) ([][]member, draws) {
	sums, seen, outer := make([]float64, len(d.units)), make([]bool, len(d.units)), make([]bool, len(d.units))
	var n draws
	drawn := make([]bool, len(d.units))
	for _, o := range observations {
		z := o.weight * quantity(o)
		for u := o.unit; u >= 0; u = d.fanouts[d.units[u].fanout].above {
			sums[u] += z
			seen[u] = true
			outer[u] = outer[u] || u != o.unit
		}
		switch {
		case o.draw < 0:
			n.certain++
		case !drawn[o.draw]:
			drawn[o.draw] = true
			n.chance++
		}
	}
	members := make([][]member, len(d.fanouts))
	for u := range d.units {
		if seen[u] {
			f := d.units[u].fanout
			members[f] = append(members[f], member{&d.units[u], sums[u], !outer[u]})
		}
	}
	return members, n
}

// deviation returns the deviation of the choice of fan-out f alone.
func (f *fanout) deviation(members []member, certain int, common pooled, correction float64) deviation {
	if len(members) == 0 {
		return deviation{}
	}
	switch f.method {
	case relays:
		return f.ofRelays(members, correction)
	case shared:
		return f.ofShared(members, correction)
	case uniform:
		if f.step.sampled == 1 && len(members) == 1 {
			return f.ofSingle(members[0], common, correction)
		}
		return f.ofUniform(members, certain, correction)
	case thinned:
		return f.ofThinned(members, correction)
	case seldom:
		return f.ofSeldom(members, common, correction)
	default:
		return eachAlone(members, correction)
	}
}

// eachAlone returns the deviation of units that were chosen independently.
func eachAlone(members []member, correction float64) (d deviation) {
	for _, m := range members {
		d.add(correction*(1-1/m.factor)*m.z*m.z, 1)
		d.third += third(m.z, m.factor)
	}
	return d
}

// pooled is what is known of all fan-outs that chose only one recipient. One of them alone
// does not tell how much its recipients differ.
type pooled struct {
	alike   bool    // recipients do not differ
	seldom  float64 // the mean for each that one stands for, where seldom one was chosen
	single  float64 // the same where one always was
	singles int     // how many of the latter there are
}

func (d *design) pooled(members [][]member) (p pooled) {
	var weights [2]float64
	for i := range d.fanouts {
		for _, m := range members[i] {
			switch f := &d.fanouts[i]; {
			case f.method == seldom:
				p.seldom += m.z
				weights[0] += m.weight
			case f.method == uniform && f.step.sampled == 1 && len(members[i]) == 1:
				p.single += m.z
				weights[1] += m.weight
				p.singles++
			}
		}
	}
	p.seldom /= max(weights[0], 1)
	p.single /= max(weights[1], 1)
	return p
}

// ofSeldom returns the deviation of a fan-out that chose one recipient with the probability
// k̄ = N/w, and else nobody. It is (1-k̄)/k̄·Y² for one or nobody, and how much recipients
// differ. For that it takes the distance of this one from the mean of all such fan-outs.
func (f *fanout) ofSeldom(members []member, common pooled, correction float64) (d deviation) {
	for _, m := range members {
		one := min(float64(f.step.size)/m.factor, 1)
		off := m.z - common.seldom*m.weight
		d.add(correction*((1-one)*m.z*m.z+one*off*off), 1)
		d.third += third(m.z, m.factor)
	}
	return d
}

// ofSingle returns the deviation of a fan-out that always chose one recipient. All such
// fan-outs are collapsed to one stratum, to know how much recipients differ (Cochran,
// chapter 5).
func (f *fanout) ofSingle(m member, common pooled, correction float64) (d deviation) {
	if common.alike && m.leaf {
		return deviation{}
	}
	if common.singles < 2 {
		return f.ofUniform([]member{m}, 0, correction)
	}
	off := offset(m.z, common.single*m.weight)
	n := float64(common.singles)
	d.add((1-1/m.factor)*n/(n-1)*off*off, common.singles-1)
	d.third = third(off, m.factor)
	return d
}

// third returns what an independently chosen unit adds to the third moment.
func third(z, factor float64) float64 { return z * z * z * (1 - 1/factor) * (1 - 2/factor) }

// ofUniform returns the deviation of a total over k of N without replacement, N²(1-k/N)s²/k.
// Recipients without an observation count as zeros (Cochran, 1977, chapter 2).
func (f *fanout) ofUniform(members []member, certain int, correction float64) (d deviation) {
	k, n := float64(f.step.sampled), float64(f.step.size)
	sum := 0.0
	for _, m := range members {
		sum += m.z
	}
	if f.step.sampled < 2 || len(members) > f.step.sampled { // These cannot be recipients.
		d.add(correction*sum*sum, 1)
		d.third = sum * sum * sum
		return d
	}
	mean := sum / float64(len(members))
	var squares, cubes float64
	for _, m := range members {
		off := offset(m.z, mean)
		squares += off * off
		cubes += off * off * off
	}
	// Sampled recipients that belong to a stratum are among the zeros. By chance few or none
	// of them may have been sampled. So the share of zeros is at least that of the stratum
	// in the fan-out.
	count := float64(len(members))
	zeros := max(1-count/k, float64(min(certain, f.step.size-len(members)))/n)
	squares = k * (1 - zeros) * (squares/count + zeros*mean*mean)
	centre := mean * count / k
	cubes += count*(mean-centre)*(mean-centre)*(mean-centre) - (k-count)*centre*centre*centre
	d.add((1-k/n)*max(correction, k/(k-1))*squares, f.step.sampled-1)
	d.third = cubes * (1 - k/n) * (1 - 2*k/n)
	return d
}

// offset returns how far z is from the mean, or 0 if that may be rounding.
func offset(z, mean float64) float64 {
	const rounding = 1e-12
	if off := z - mean; math.Abs(off) > rounding*math.Abs(z) {
		return off
	}
	return 0
}
