// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package fanout reads what a traced recipient of a fan-out stands for, and says it
// on spans. It is below every package that starts spans, so that each can; package
// sampling has the rest, and the names and documentation that users see.
package fanout

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
)

// Attributes on spans, as package sampling documents them.
const (
	WeightKey        = attribute.Key("waybill.fanout.weight")
	RoundedWeightKey = attribute.Key("waybill.fanout.rounded_weight")
	ProbabilityKey   = attribute.Key("waybill.fanout.probability")
	SizeKey          = attribute.Key("waybill.fanout.size")
	DepthKey         = attribute.Key("waybill.fanout.depth")
)

// Bounds on what a tracestate may claim. What is beyond them is absurd: not
// written, and taken as absent when read.
const (
	MaxWeight = 1e15
	MaxSize   = math.MaxInt32
	MaxDepth  = 64
)

// Fanout is package sampling's type of that name, which has the same fields.
type Fanout struct {
	Weight      float64
	Probability float64
	Size        int
	Depth       int

	Budget     int
	MeanBudget float64
}

// Valid reports whether f is that of a fan-out, and within the bounds.
func (f Fanout) Valid() bool {
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
		ProbabilityKey.Float64(f.Probability),
		SizeKey.Int(f.Size),
		DepthKey.Int(f.Depth),
	)
}
