// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package fanout says what a sampled recipient of a fan-out stands for. That travels as
// a member of the tracestate to the spans below, and is shown as attributes.
//
// In the tracestate it is bound to its trace, crosses from service to service, survives
// parent-based samplers, and ends where a new trace begins. OpenTelemetry states a
// sampling probability too, as a threshold in its own member (package threshold).
// [Fanout.AddTo] removes that where it no longer holds, and [Fanout.Root] corrects it
// where a recipient starts a trace of its own.
package fanout

import (
	"math"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
)

// Bounds of what a tracestate may claim. A value beyond them is absurd. It is not
// written, and it is taken as absent when it is read.
const (
	MaxWeight = 1e15
	MaxSize   = math.MaxInt32
	MaxDepth  = 64
)

// Fanout says what a sampled recipient stands for. The zero value is that of a
// message that went through no fan-out.
//
// Weight times Probability is the weight of the nearest fan-out's own span. That is 1
// for the first fan-out, and at least 1 for the others. Only if Weight is at its bound,
// the product may be less.
type Fanout struct {
	Weight      float64 // How many recipients, all fan-outs multiplied; 1 to MaxWeight.
	Probability float64 // Share sampled at the nearest fan-out, in (0, 1].
	Size        int     // Recipients of the nearest fan-out; 1 to MaxSize.
	Depth       int     // Number of fan-outs passed; 1 to MaxDepth.

	// Budget is how many recipients may be sampled in the end, at the next fan-out or
	// at those below it; 1 to MaxSize. It is MeanBudget rounded down or up. Zero means
	// that there is no budget.
	Budget     int
	MeanBudget float64 // Mean of Budget before it was known; above 0, at most MaxSize.
}

// Below returns what a sampled recipient of a fan-out stands for, if the message that
// is fanned out stands for f. size is the number of recipients of this fan-out, and
// weight is how many of them the sampled one stands for; at least 1. Weight and Depth
// do not grow beyond their bounds.
func (f Fanout) Below(weight float64, size int) Fanout {
	return Fanout{
		Weight:      min(max(f.Weight, 1)*weight, MaxWeight),
		Probability: 1 / weight,
		Size:        size,
		Depth:       min(f.Depth+1, MaxDepth),
	}
}

// valid reports whether f is not zero, is within the bounds, and makes sense.
func (f Fanout) valid() bool {
	return f.Weight >= 1 && f.Weight <= MaxWeight &&
		f.Probability > 0 && f.Probability <= 1 &&
		f.Size >= 1 && f.Size <= MaxSize &&
		f.Depth >= 1 && f.Depth <= MaxDepth &&
		f.consistent() &&
		(f.Budget == 0 && f.MeanBudget == 0 || f.validBudget())
}

// consistent reports whether the probability and the depth can give the weight. The
// weight is one over the probability, times the weight above, which is 1 above the
// first fan-out. A weight at its bound may be less than that.
func (f Fanout) consistent() bool {
	const rounding = 1e-9 // relative
	above := f.Weight * f.Probability
	return (above >= 1-rounding || f.Weight == MaxWeight) && (above <= 1+rounding || f.Depth > 1)
}

func (f Fanout) validBudget() bool {
	const rounding = 1e-6 // a share of a budget may be a little off a whole number
	return f.Budget >= 1 && f.Budget <= MaxSize &&
		f.MeanBudget > 0 && f.MeanBudget <= MaxSize &&
		math.Abs(float64(f.Budget)-f.MeanBudget) <= 1+rounding
}

// Attributes appends to dst the attributes of a span that stands for f. If the message
// went through no fan-out, there are none. The rounded weight is drawn at each call.
func (f Fanout) Attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	return f.AttributesRounded(dst, RoundsUp(f.Weight))
}

// AttributesRounded is like Attributes. up says whether the weight is rounded up or
// down.
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
