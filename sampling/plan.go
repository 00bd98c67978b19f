// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math"
	"math/rand/v2"
)

// Config says how many recipients of a fan-out keep the trace. The zero value
// is the default: [DefaultCurve] and no cap.
type Config struct {
	// Curve gives the share by the size of the fan-out.
	Curve Curve `json:"curve"`
	// MaxSpans caps the number of recipients chosen in one fan-out. Zero or
	// less means no cap.
	MaxSpans int `json:"max_spans,omitempty"`
}

// Expected returns k̄, the mean number of recipients chosen out of n.
func (c Config) Expected(n int) float64 {
	if n <= 0 {
		return 0
	}
	expected := float64(n) * c.Curve.Probability(n)
	if c.MaxSpans > 0 {
		expected = min(expected, float64(c.MaxSpans))
	}
	return min(expected, float64(n))
}

// Plan is the choice made for one fan-out.
type Plan struct {
	// Size is the number of recipients, N.
	Size int
	// Expected is the mean number of recipients that plans like this choose, k̄.
	Expected float64
	// Chosen holds the positions of the k recipients that keep the trace,
	// ascending, each in [0, Size). It belongs to the caller.
	Chosen []int
}

// Plan chooses which of n recipients keep the trace: k = ⌊k̄⌋ or ⌈k̄⌉ of them,
// at random so that the mean of k is [Config.Expected], every set of k equally
// likely. It draws k random numbers (none if all n are chosen), and one more if
// k̄ is not whole, from random, or from the runtime's generator if random is
// nil. Up to 64 chosen it allocates Chosen and nothing else.
func (c Config) Plan(n int, random *rand.Rand) Plan {
	return c.PlanInto(nil, n, random)
}

// PlanInto is [Config.Plan] with Chosen appended to buf[:0], so that a buffer
// can be used again.
func (c Config) PlanInto(buf []int, n int, random *rand.Rand) Plan {
	draw := runtimeSource
	if random != nil {
		draw = source{random.IntN, random.Float64}
	}
	p := Plan{Size: max(n, 0), Expected: c.Expected(n)}
	whole, fraction := math.Modf(p.Expected)
	k := int(whole)
	if fraction > 0 && draw.float64() < fraction {
		k++
	}
	if cap(buf) < k {
		buf = make([]int, 0, k)
	}
	p.Chosen = choose(buf[:0], p.Size, k, draw.intN)
	return p
}

// Weight returns how many recipients each chosen one stands for at this
// fan-out. Where k̄ is at least 1 it is N/k, so that the weights of the chosen
// sum to N in every single fan-out. Where k̄ is below 1 there often is no chosen
// one, and only N/k̄ is unbiased: then the sum is N on average.
func (p Plan) Weight() float64 {
	switch {
	case p.Size == 0 || p.Expected <= 0:
		return 0
	case p.Expected < 1:
		return float64(p.Size) / p.Expected
	default:
		return float64(p.Size) / float64(len(p.Chosen))
	}
}

// source is a random number generator; the runtime's needs no allocation and
// no lock.
type source struct {
	intN    func(int) int
	float64 func() float64
}

var runtimeSource = source{rand.IntN, rand.Float64}
