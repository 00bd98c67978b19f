// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import "math"

// deviation is how far an estimate may be off.
type deviation struct {
	variance float64
	squares  float64 // of the terms of variance, each by its degrees of freedom
}

func (d *deviation) add(variance float64, freedom int) {
	d.variance += variance
	d.squares += variance * variance / float64(freedom)
}

// widen adds to the variance what has no degrees of freedom, unless it is all
// that there is.
func (d *deviation) widen(b blind) {
	if d.squares == 0 {
		d.add(b.variance, max(int(b.number)-1, 1))
	} else {
		d.variance += b.variance
	}
}

// quantile returns the 97.5 % quantile of Student's distribution with the
// degrees of freedom that the variance has (Satterthwaite, 1946).
func (d *deviation) quantile() float64 {
	freedom := math.Inf(1)
	if d.squares > 0 {
		freedom = d.variance * d.variance / d.squares
	}
	// Rounding may take it below a whole number.
	switch n := math.Floor(freedom * (1 + 1e-9)); {
	case !(n >= 2):
		return 12.706
	case n == 2:
		return 4.303
	default: // The first terms of the series of Abramowitz and Stegun, 26.7.5.
		return 1.95996 + (2.37227+(2.82250+(2.55585+1.58953/n)/n)/n)/n
	}
}

// deviation returns the variance of the sum of w·quantity over the observations,
// as the choice of recipients has it. If the quantity is a deviation from a
// centre that was estimated from them too, it makes up for that, and is +Inf if
// they are not enough.
func (d *design) deviation(
	observations []observation, quantity func(observation) float64, centred bool,
) (result deviation) {
	t := d.tally(observations, quantity)
	correction := 1.0
	switch {
	case !t.chosen: // Nothing was left to chance.
		return result
	case centred && t.draws < 2:
		return deviation{variance: math.Inf(1)}
	case centred:
		correction = float64(t.draws) / float64(t.draws-1)
	}
	for _, v := range t.alone {
		result.add(correction*v, 1)
	}
	for i, f := range d.fanouts {
		if z := t.lumps[i]; z != 0 {
			result.add(correction*z*z, 1)
		}
		k, n := float64(f.chosen), float64(f.size)
		switch {
		case t.members[i] == 0 || n == k:
		case t.single(i, f):
			result.add(correction*t.squares[i]/t.weight[i], 1)
		default:
			squares := max(correction, k/(k-1)) * t.squares[i]
			result.add((1-k/n)*squares/t.weight[i], f.chosen-1)
		}
	}
	return result
}

// tally is what observations come to by fan-outs.
type tally struct {
	draws  int       // that were made independently at the top
	chosen bool      // by chance, any of them
	alone  []float64 // variances of observations that were chosen each for itself

	// By fan-out:
	lumps   []float64 // contributions of all together, where their choice is not known
	members []int     // recipients that were chosen and show up
	certain []int     // recipients that show up although nobody chose them: a stratum
	squares []float64 // sums of squares of what its recipients contribute, less their mean
	weight  []float64 // of the fan-outs above it
}

// single is whether all that came through fan-out i is one draw: because one
// recipient was chosen, or because there are more than were, so that these cannot
// be recipients.
func (t *tally) single(i int, f fanout) bool { return f.chosen == 1 || t.members[i] > f.chosen }

func (d *design) tally(observations []observation, quantity func(observation) float64) *tally {
	t := &tally{
		lumps:   make([]float64, len(d.fanouts)),
		members: make([]int, len(d.fanouts)),
		certain: make([]int, len(d.fanouts)),
		squares: make([]float64, len(d.fanouts)),
		weight:  make([]float64, len(d.fanouts)),
	}
	units, seen := make([]float64, len(d.units)), make([]bool, len(d.units))
	isLumped := make([]bool, len(d.fanouts))
	for _, o := range observations {
		if o.weight > 1 {
			t.chosen = true
		} else {
			t.draws++ // It is there for certain.
		}
		if o.fanout >= 0 && o.unit != lumped && (o.unit < 0 || d.units[o.unit].fanout != o.fanout) {
			t.certain[o.fanout]++
		}
		contribution := o.weight * quantity(o)
		switch {
		case o.unit >= 0:
			for u := o.unit; u >= 0; u = d.fanouts[d.units[u].fanout].unit {
				units[u] += contribution
				seen[u] = true
			}
		case o.unit == lumped:
			top := d.outermost(o.fanout)
			t.lumps[top] += contribution
			isLumped[top] = true
		case o.weight > 1:
			t.draws++
		}
		switch alone := contribution * contribution; {
		case o.kept < 1 && o.unit != lumped: // Bernoulli sampling, below what its unit stands for.
			t.alone = append(t.alone, (1-o.kept)*alone)
		case o.unit == none && o.weight > 1:
			t.alone = append(t.alone, alone)
		}
	}
	for _, is := range isLumped {
		if is {
			t.draws++
		}
	}
	d.spread(t, units, seen)
	return t
}

// spread fills in what concerns the recipients of each fan-out.
func (d *design) spread(t *tally, units []float64, seen []bool) {
	means := make([]float64, len(d.fanouts))
	for u, z := range units {
		if seen[u] {
			means[d.units[u].fanout] += z
			t.members[d.units[u].fanout]++
		}
	}
	below := make([]bool, len(d.fanouts)) // a choice
	for i, f := range d.fanouts {
		t.weight[i] = 1
		if f.unit >= 0 {
			above := d.units[f.unit].fanout
			by := d.fanouts[above]
			t.weight[i] = t.weight[above] * float64(by.size) / float64(by.chosen)
			below[i] = below[above] || by.size > by.chosen
		}
		switch single := t.single(i, f); {
		case t.members[i] == 0:
			continue
		case f.size == f.chosen || below[i]:
		case single:
			t.draws++
		default:
			t.draws += t.members[i]
		}
		if t.single(i, f) {
			t.squares[i] = means[i] * means[i]
			continue
		}
		means[i] /= float64(t.members[i])
	}
	for u, z := range units {
		i := d.units[u].fanout
		if off := z - means[i]; seen[u] && !t.single(i, d.fanouts[i]) && math.Abs(off) > rounding*math.Abs(z) {
			t.squares[i] += off * off
		}
	}
	for i, f := range d.fanouts {
		if t.members[i] > 0 && !t.single(i, f) {
			t.squares[i] = f.withZeros(t.squares[i], means[i], t.members[i], t.certain[i])
		}
	}
}

// withZeros returns the sum of squares of what all the chosen contribute, less their
// mean, from that of the members that show up, and their mean. The others are zeros.
// A stratum is among these where the choice fell on it, and it may by chance have
// fallen on few of it, or none: then there are as many zeros as it has a share in
// the fan-out.
func (f fanout) withZeros(squares, mean float64, members, certain int) float64 {
	m, k := float64(members), float64(f.chosen)
	zeros := max(1-m/k, float64(min(certain, f.size-members))/float64(f.size))
	return k * (1 - zeros) * (squares/m + zeros*mean*mean)
}

// rounding is how far numbers that are equal may be apart.
const rounding = 1e-12

// blind is what the variance of a weighted share does not see.
type blind struct {
	variance float64 // of the weight of those that have a property
	block    float64 // the weight of an observation, in the mean over all weight
	number   float64 // of observations of equal weight that would tell as much (Kish, 1965)
}

// blindness is what a variance lacks where of the observations that were chosen by
// chance all have a property, or none, or all but one: then they seem to be
// alike, and those that were not chosen too. Half an observation more on each
// side, as Jeffreys has it for shares, says what these may be.
func blindness(observations []observation, property func(observation) bool) blind {
	var sum, squares, having float64
	for _, o := range observations {
		if o.weight > 1 {
			sum += o.weight
			squares += o.weight * o.weight
			having += o.weight * indicator(property(o))
		}
	}
	if sum == 0 {
		return blind{}
	}
	n := sum * sum / squares
	seen, guess := having/sum, (n*having/sum+0.5)/(n+1)
	return blind{max(guess*(1-guess)-seen*(1-seen), 0) * squares, squares / sum, n}
}
