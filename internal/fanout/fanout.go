// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package fanout is what a sampled recipient of a fan-out stands for, and how the spans
// below it know: it travels as a member of the tracestate, and is shown as attributes.
//
// In the tracestate it is bound to its trace, crosses boundaries, survives parent-based
// samplers, and ends where a new trace begins. OpenTelemetry's own statement of a
// sampling probability, the threshold in its member (package threshold), is taken out
// where it no longer holds ([Fanout.AddTo]), and made right where a recipient begins a
// trace of its own ([Fanout.Root]).
package fanout

import (
	"math"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
)

// Bounds on what a tracestate may claim. What is beyond them is absurd: not
// written, and taken as absent when read.
const (
	MaxWeight = 1e15
	MaxSize   = math.MaxInt32
	MaxDepth  = 64
)

// Fanout says what a sampled recipient stands for. The zero value is that of a
// message that went through no fan-out.
//
// Weight times Probability is the weight of the span of the nearest fan-out: 1 if
// that is the first, at least 1 below others. Only a Weight at its bound may be
// less than that makes it.
type Fanout struct {
	Weight      float64 // How many recipients, all fan-outs multiplied; 1 to MaxWeight.
	Probability float64 // Share sampled at the nearest fan-out, in (0, 1].
	Size        int     // Recipients of the nearest fan-out; 1 to MaxSize.
	Depth       int     // Number of fan-outs passed; 1 to MaxDepth.

	// Budget is how many recipients may be sampled at the next fan-out, and at all
	// those below it together; 1 to MaxSize. Zero means that nobody has planned
	// that. It is MeanBudget rounded down or up.
	Budget     int
	MeanBudget float64 // Mean of Budget before it was known; above 0, at most MaxSize.
}

// Below returns what a recipient stands for that is sampled at a fan-out to so many,
// if the message that fans out stands for f. weight is how many recipients it stands
// for at this fan-out alone; at least 1. Weight and Depth stop growing at their
// bounds.
func (f Fanout) Below(weight float64, size int) Fanout {
	return Fanout{
		Weight:      min(max(f.Weight, 1)*weight, MaxWeight),
		Probability: 1 / weight,
		Size:        size,
		Depth:       min(f.Depth+1, MaxDepth),
	}
}

// valid reports whether f is that of a fan-out, and within the bounds.
func (f Fanout) valid() bool {
	return f.Weight >= 1 && f.Weight <= MaxWeight &&
		f.Probability > 0 && f.Probability <= 1 &&
		f.Size >= 1 && f.Size <= MaxSize &&
		f.Depth >= 1 && f.Depth <= MaxDepth &&
		f.consistent() &&
		(f.Budget == 0 && f.MeanBudget == 0 || f.validBudget())
}

// consistent reports whether the weight is what the probability and the depth can
// make it: one over the probability, times the weight above, which is 1 above the
// first fan-out. At its bound the weight may be less than that.
func (f Fanout) consistent() bool {
	const rounding = 1e-9 // relative
	above := f.Weight * f.Probability
	return (above >= 1-rounding || f.Weight == MaxWeight) && (above <= 1+rounding || f.Depth > 1)
}

func (f Fanout) validBudget() bool {
	const rounding = 1e-6 // of a budget shared out at a place where it is nearly whole
	return f.Budget >= 1 && f.Budget <= MaxSize &&
		f.MeanBudget > 0 && f.MeanBudget <= MaxSize &&
		math.Abs(float64(f.Budget)-f.MeanBudget) <= 1+rounding
}

// Attributes appends the attributes of a span that stands for f to dst: none
// if the message went through no fan-out. The rounded weight is drawn anew at each
// call.
func (f Fanout) Attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	return f.AttributesRounded(dst, RoundsUp(f.Weight))
}

// AttributesRounded is Attributes with the weight rounded up, or down.
func (f Fanout) AttributesRounded(dst []attribute.KeyValue, up bool) []attribute.KeyValue {
	if f.Depth == 0 {
		return dst
	}
	return append(appendWeight(dst, f.Weight, up),
		keys.FanoutProbability.Float64(f.Probability),
		keys.FanoutSize.Int(f.Size),
		keys.FanoutDepth.Int(f.Depth),
	)
}
