// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/fanout"
)

// Attributes on the spans of a sampled recipient and of all that follow from it.
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

// ShedKey is on the span of a fan-out that sampled nobody because of the last resort
// ([GroupConfig.MaxSpansPerSecond]); a boolean, absent on all others. No span stands
// for its recipients, so estimates must leave them out on both sides.
const ShedKey = attribute.Key("waybill.fanout.shed")
