// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
)

// Attributes on the spans of a chosen recipient and of all that follow from it.
const (
	// WeightKey is how many recipients the span stands for, all fan-outs above
	// it multiplied; a double.
	WeightKey = attribute.Key("waybill.fanout.weight")
	// ProbabilityKey is the share of the recipients of the nearest fan-out
	// above that were traced; a double.
	ProbabilityKey = attribute.Key("waybill.fanout.probability")
	// SizeKey is the number of recipients of the nearest fan-out above (on a
	// broadcast's own span, of that broadcast); an int.
	SizeKey = attribute.Key("waybill.fanout.size")
	// DepthKey is the number of fan-outs above the span; an int.
	DepthKey = attribute.Key("waybill.fanout.depth")
)

// ShedKey is on the span of a fan-out that chose nobody because of the rate's
// last resort ([Plan.Shed]); a boolean, absent on all others. No span stands for
// its recipients, so estimates must leave them out on both sides.
const ShedKey = attribute.Key("waybill.fanout.shed")

// Bounds on what a tracestate may claim. What is beyond them is absurd: not
// written, and taken as absent when read.
const (
	maxWeight = 1e15
	maxSize   = math.MaxInt32
	maxDepth  = 64
)

// Fanout says what a traced recipient stands for. The zero value is that of a
// message that went through no fan-out.
//
// Weight times Probability is always the weight of the span of the nearest
// fan-out.
type Fanout struct {
	Weight      float64 // how many recipients, all fan-outs multiplied; 1 to 1e15
	Probability float64 // share traced at the nearest fan-out, in (0, 1]
	Size        int     // recipients of the nearest fan-out; 1 to 2³¹-1
	Depth       int     // number of fan-outs passed; 1 to 64

	// Budget is how many recipients may keep the trace at the next fan-out, and at
	// all those below it together; 1 to 2³¹-1. Zero means that nobody has planned
	// that. It is MeanBudget rounded down or up.
	Budget     int
	MeanBudget float64 // mean of Budget before it was known; above 0, at most 2³¹-1
}

// Recipient returns what each chosen recipient of p stands for when the
// message that fans out stands for f itself. Weight and Depth stop growing at
// their bounds.
func (f Fanout) Recipient(p Plan) Fanout {
	w := p.Weight()
	if w <= 0 {
		return f
	}
	return f.below(w, p.Size)
}

// below returns what a recipient stands for at a fan-out of that size, where
// weight is that of this fan-out alone.
func (f Fanout) below(weight float64, size int) Fanout {
	return Fanout{
		Weight:      min(max(f.Weight, 1)*weight, maxWeight),
		Probability: 1 / weight,
		Size:        size,
		Depth:       min(f.Depth+1, maxDepth),
	}
}

// valid reports whether f is that of a fan-out, and within the bounds.
func (f Fanout) valid() bool {
	return f.Weight >= 1 && f.Weight <= maxWeight &&
		f.Probability > 0 && f.Probability <= 1 &&
		f.Size >= 1 && f.Size <= maxSize &&
		f.Depth >= 1 && f.Depth <= maxDepth &&
		(f.Budget == 0 && f.MeanBudget == 0 || f.validBudget())
}

func (f Fanout) validBudget() bool {
	const rounding = 1e-6 // of a budget shared out at a place where it is nearly whole
	return f.Budget >= 1 && f.Budget <= maxSize &&
		f.MeanBudget > 0 && f.MeanBudget <= maxSize &&
		math.Abs(float64(f.Budget)-f.MeanBudget) <= 1+rounding
}

// Attributes appends the attributes of a span that stands for f to dst: none
// if the message went through no fan-out.
func (f Fanout) Attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	if f.Depth == 0 {
		return dst
	}
	return append(dst,
		WeightKey.Float64(f.Weight),
		ProbabilityKey.Float64(f.Probability),
		SizeKey.Int(f.Size),
		DepthKey.Int(f.Depth),
	)
}
