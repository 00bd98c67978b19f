// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Attributes on the spans of a chosen recipient and of all that follow from it.
const (
	// WeightKey is how many recipients the span stands for, all fan-outs above
	// it multiplied; a double.
	WeightKey = fanout.WeightKey
	// RoundedWeightKey is the weight rounded down or up at random, for each span
	// anew, so that its mean is the weight; an int. It is for backends that count in
	// whole numbers, and wherever weights are summed the other is more exact.
	RoundedWeightKey = fanout.RoundedWeightKey
	// ProbabilityKey is the share of the recipients of the nearest fan-out
	// above that were traced; a double.
	ProbabilityKey = fanout.ProbabilityKey
	// SizeKey is the number of recipients of the nearest fan-out above (on a
	// broadcast's own span, of that broadcast); an int.
	SizeKey = fanout.SizeKey
	// DepthKey is the number of fan-outs above the span; an int.
	DepthKey = fanout.DepthKey
)

// ShedKey is on the span of a fan-out that chose nobody because of the rate's
// last resort ([Plan.Shed]); a boolean, absent on all others. No span stands for
// its recipients, so estimates must leave them out on both sides.
const ShedKey = attribute.Key("waybill.fanout.shed")

// Fanout says what a traced recipient stands for. The zero value is that of a
// message that went through no fan-out.
//
// Weight times Probability is the weight of the span of the nearest fan-out: 1 if
// that is the first, at least 1 below others. Only a Weight at its bound may be
// less than that makes it.
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
func (f Fanout) Recipient(p Plan) Fanout { return f.RecipientOf(p, -1) }

// RecipientOf is Recipient for the recipients that a limit is about, as in
// [Plan.WeightOf].
func (f Fanout) RecipientOf(p Plan, limit int) Fanout {
	w := p.WeightOf(limit)
	if w <= 0 {
		return f
	}
	return f.below(w, p.Size)
}

// below returns what a recipient stands for at a fan-out of that size, where
// weight is that of this fan-out alone.
func (f Fanout) below(weight float64, size int) Fanout {
	return Fanout{
		Weight:      min(max(f.Weight, 1)*weight, fanout.MaxWeight),
		Probability: 1 / weight,
		Size:        size,
		Depth:       min(f.Depth+1, fanout.MaxDepth),
	}
}

// valid reports whether f is that of a fan-out, and within the bounds.
func (f Fanout) valid() bool { return fanout.Fanout(f).Valid() }

// Attributes appends the attributes of a span that stands for f to dst: none
// if the message went through no fan-out.
func (f Fanout) Attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	return fanout.Fanout(f).Attributes(dst)
}
