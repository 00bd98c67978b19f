// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/waybill-go/waybill/internal/fanout"
)

// GroupConfig says how many recipients of a fan-out keep the trace. The zero value
// is the default: [DefaultCurve], no cap and no rate. A [Control] refuses negative
// numbers; where there is none, they mean what zero means.
type GroupConfig struct {
	// Curve gives the share by the size of the fan-out.
	Curve Curve `json:"curve"`
	// MaxSpans caps the number of recipients chosen in one fan-out. Zero
	// means no cap.
	MaxSpans int `json:"max_spans,omitempty"`
	// SpansPerSecond is how many recipients fan-outs choose per second, on
	// average, where the curve would have them choose more. Zero means any
	// number. It takes a [Rate].
	SpansPerSecond float64 `json:"spans_per_second,omitempty"`
	// MaxSpansPerSecond is the last resort: while more are chosen per second,
	// fan-outs choose none. Estimates lose those fan-outs, so it should be well
	// above SpansPerSecond, and a [Control] refuses one that is below. Zero means no
	// cap. It takes a [Rate].
	MaxSpansPerSecond float64 `json:"max_spans_per_second,omitempty"`
}

// Expected returns k̄, the mean number of recipients chosen out of n, as long as
// no rate asks for less.
func (c GroupConfig) Expected(n int) float64 {
	if n <= 0 {
		return 0
	}
	expected := float64(n) * c.Curve.Probability(n)
	return min(expected, float64(c.limit(n)))
}

// limit is how many of n may be chosen at most.
func (c GroupConfig) limit(n int) int {
	if c.MaxSpans > 0 {
		return min(n, c.MaxSpans)
	}
	return n
}

func (c GroupConfig) validate() error {
	if c.MaxSpans < 0 {
		return fmt.Errorf("%w: max_spans is %d", ErrSettings, c.MaxSpans)
	}
	return validateRates(c.SpansPerSecond, c.MaxSpansPerSecond)
}

func validateRates(target, most float64) error {
	for name, rate := range map[string]float64{"spans_per_second": target, "max_spans_per_second": most} {
		if math.IsNaN(rate) || math.IsInf(rate, 0) || rate < 0 {
			return fmt.Errorf("%w: %s is %v", ErrSettings, name, rate)
		}
	}
	if most > 0 && most < target {
		return fmt.Errorf("%w: max_spans_per_second, %v, is below spans_per_second, %v", ErrSettings, most, target)
	}
	return nil
}

// Plan is the choice made for one fan-out.
type Plan struct {
	// Size is the number of recipients, N.
	Size int
	// Expected is the mean number of recipients that plans like this choose, k̄.
	Expected float64
	// Sampled holds the positions of the k recipients that keep the trace,
	// ascending, each in [0, Size). It belongs to the caller.
	Sampled []int
	// Shed reports that the rate's last resort left nobody chosen. Estimates
	// must leave such a fan-out out: mark its span with waybill.fanout.shed.
	Shed bool

	above   fanout.Fanout
	mean    float64   // by what Size is divided to give the weight
	factors []float64 // of Sampled: what share of such recipients was left; nil if all are 1
}

// Plan chooses which of n recipients keep the trace: k = ⌊k̄⌋ or ⌈k̄⌉ of them,
// at random so that the mean of k is [GroupConfig.Expected], every set of k equally
// likely. It draws k random numbers (none if all n are chosen), and one more if
// k̄ is not whole, from random, or from the runtime's generator if random is
// nil. Up to 64 chosen it allocates Sampled and nothing else.
//
// It is a [Planner] that knows of no other fan-out above or before this one.
func (c GroupConfig) Plan(n int, random *rand.Rand) Plan {
	pl := Planner{Config: c, Random: random}
	return pl.planInto(nil, n)
}

// PlanInto is [GroupConfig.Plan] with Sampled appended to buf[:0], so that a buffer
// can be used again.
func (c GroupConfig) PlanInto(buf []int, n int, random *rand.Rand) Plan {
	pl := Planner{Config: c, Random: random}
	return pl.planInto(buf, n)
}

// Recipient returns what the recipient at Sampled[i] stands for. At this fan-out alone
// that is N/k where k̄ is at least 1, so that the weights of those sampled sum to N in
// every single fan-out. Where k̄ is below 1 there often is none, and only N/k̄ is
// unbiased: then the sum is N on average.
//
// Where k comes from a budget that was shared out further up ([fanout.Fanout.Budget])
// it is N/E(k), so that the weights below all relays sum to what was announced. For a
// recipient that a [Limit] is about it is more the more the limit has held back, and
// the sum is N on average.
func (p *Plan) Recipient(i int) fanout.Fanout {
	weight := p.weight()
	if p.factors != nil {
		weight /= p.factors[i]
	}
	return p.above.Below(weight, p.Size)
}

// weight is how many recipients one stands for that no limit is about.
func (p *Plan) weight() float64 { return float64(p.Size) / p.mean }

// source is a random number generator; the runtime's needs no allocation and
// no lock.
type source struct {
	intN    func(int) int
	float64 func() float64
}

var runtimeSource = source{rand.IntN, rand.Float64}

// round returns x rounded down or up, at random so that its mean is x.
func (s source) round(x float64) int {
	whole, fraction := math.Modf(x)
	if fraction > 0 && s.float64() < fraction {
		whole++
	}
	return int(whole)
}
