// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package threshold

import (
	"encoding/binary"
	"math"
	"math/bits"

	"go.opentelemetry.io/otel/trace"
)

// Narrow returns OpenTelemetry's member for the root of a new trace that was started
// with that probability because of a span, parent: "" if there is nothing to state.
//
// If parent states with what probability p₀ it was sampled, it is the threshold for
// p₀ times probability, and a randomness that agrees with it. If parent states none,
// no threshold is written, because nobody knows it; a randomness is handed on if
// there is one.
//
// The randomness is parent's own, moved from where it lay between parent's
// threshold and the end to the same place between the new threshold and the numberEnd.
// parent's own value as it is would contradict the threshold, being below it in
// most roots, and a new one for each root would be right, but would have a later
// sampler tear apart what belongs together: with this one it keeps, at any
// probability relative to what came in, all roots of a fan-out and the trace that
// they are linked to, or none of them. To sample a group of traces together is
// what OTEP 235 has explicit randomness for. If parent has none, its trace ID's
// last 56 bits are its randomness, as the specification says.
func Narrow(parent trace.SpanContext, probability float64) string {
	buf := make([]byte, 0, len("th:;rv:")+2*numberDigits)
	ot := parent.TraceState().Get(TraceStateKey)
	random, explicit := parseRandomness(subValue(ot, randomName))
	if !explicit {
		id := parent.TraceID()
		random = binary.BigEndian.Uint64(id[8:]) % numberEnd
	}
	threshold, stated := parseThreshold(subValue(ot, thresholdName))
	if stated && random >= threshold && probability > 0 && probability <= 1 { // Else it is not why parent was sampled.
		threshold, random = narrow(threshold, random, probability)
		buf = append(appendThreshold(append(buf, "th:"...), threshold), ';')
		explicit = true
	}
	if explicit {
		buf = appendRandomness(append(buf, "rv:"...), random)
	}
	return string(buf)
}

// narrow returns the threshold that leaves probability of what threshold leaves,
// at least one value, and random moved in proportion.
func narrow(threshold, random uint64, probability float64) (uint64, uint64) {
	before := numberEnd - threshold
	after := min(max(uint64(math.Round(float64(before)*probability)), 1), before)
	high, low := bits.Mul64(random-threshold, after)
	place, _ := bits.Div64(high, low, before)
	return numberEnd - after, numberEnd - after + place
}
