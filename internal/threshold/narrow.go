// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package threshold

import (
	"encoding/binary"
	"math"
	"math/bits"

	"go.opentelemetry.io/otel/trace"
)

// Narrow returns OpenTelemetry's member for the root of a new trace. The trace was
// started with that probability because of the span parent. Narrow returns "" if there
// is nothing to state.
//
// If parent states with what probability p₀ it was sampled, the member has the
// threshold for p₀ times probability, and a randomness that agrees with it. If parent
// does not state p₀, the member has no threshold, because nobody knows it, and has the
// randomness of parent if there is one.
//
// The randomness is derived from parent's. It lies between the new threshold and
// numberEnd where parent's lies between parent's threshold and numberEnd. Parent's own
// value would contradict the new threshold, because it is below that in most roots. A
// new value for each root would be correct, but a later sampler would tear apart traces
// that belong together. With this value, a later sampler keeps all roots of a fan-out
// and the trace that they are linked to, or none of them, at any probability relative
// to what came in. OTEP 235 has explicit randomness in order to sample a group of
// traces together. If parent has no explicit randomness, its randomness is the last 56
// bits of its trace ID, as the specification says.
func Narrow(parent trace.SpanContext, probability float64) string {
	buf := make([]byte, 0, len("th:;rv:")+2*numberDigits)
	ot := parent.TraceState().Get(TraceStateKey)
	random, explicit := parseRandomness(subValue(ot, randomName))
	if !explicit {
		id := parent.TraceID()
		random = binary.BigEndian.Uint64(id[8:]) % numberEnd
	}
	threshold, stated := parseThreshold(subValue(ot, thresholdName))
	if stated && random >= threshold && probability > 0 && probability <= 1 { // Otherwise the threshold is not why parent was sampled.
		threshold, random = narrow(threshold, random, probability)
		buf = append(appendThreshold(append(buf, "th:"...), threshold), ';')
		explicit = true
	}
	if explicit {
		buf = appendRandomness(append(buf, "rv:"...), random)
	}
	return string(buf)
}

// narrow returns a threshold that leaves the share probability of the values that
// threshold leaves, and at least one value. It also returns random, moved in
// proportion.
func narrow(threshold, random uint64, probability float64) (uint64, uint64) {
	before := numberEnd - threshold
	after := min(max(uint64(math.Round(float64(before)*probability)), 1), before)
	high, low := bits.Mul64(random-threshold, after)
	place, _ := bits.Div64(high, low, before)
	return numberEnd - after, numberEnd - after + place
}
