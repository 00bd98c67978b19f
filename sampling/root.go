// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"encoding/binary"
	"math"
	"math/bits"

	"go.opentelemetry.io/otel/trace"
)

// Root returns the tracestate of a recipient that stands for f, chosen by a
// fan-out whose span is parent, if it begins a new trace that is linked to
// parent's instead of going on in that.
//
// It holds f, and what lets OpenTelemetry's samplers and collectors count the new
// trace rightly, if parent states with what probability p₀ it was sampled: the
// threshold for p₀ times [Fanout.Probability], and a randomness that agrees with
// it. If parent states none, no threshold is written, because nobody knows it;
// a randomness is handed on if there is one.
//
// The randomness is parent's own, moved from where it lay between parent's
// threshold and the end to the same place between the new threshold and the end.
// parent's own value as it is would contradict the threshold, being below it in
// most roots, and a new one for each root would be right, but would have a later
// sampler tear apart what belongs together: with this one it keeps, at any
// probability relative to what came in, all roots of a fan-out and the trace that
// they are linked to, or none of them. To sample a group of traces together is
// what OTEP 235 has explicit randomness for. If parent has none, its trace ID's
// last 56 bits are its randomness, as the specification says.
//
// Members of others describe parent's trace, not this one, and are left out: the
// W3C would have a restarted trace clean them up.
func (f Fanout) Root(parent trace.SpanContext) trace.TraceState {
	var state trace.TraceState
	if member := rootMember(parent, f.Probability); member != "" {
		state, _ = state.Insert(otKey, member) // The key is right and the value is digits: no error.
	}
	if f.valid() {
		state, _ = state.Insert(TraceStateKey, f.member())
	}
	return state
}

// rootMember is OpenTelemetry's member of a root chosen with that probability
// below parent.
func rootMember(parent trace.SpanContext, probability float64) string {
	buf := make([]byte, 0, len("th:;rv:")+2*thresholdDigits)
	ot := parent.TraceState().Get(otKey)
	random, explicit := parseRandomness(subValue(ot, randomName))
	if !explicit {
		id := parent.TraceID()
		random = binary.BigEndian.Uint64(id[8:]) % thresholdEnd
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
	before := thresholdEnd - threshold
	after := min(max(uint64(math.Round(float64(before)*probability)), 1), before)
	high, low := bits.Mul64(random-threshold, after)
	place, _ := bits.Div64(high, low, before)
	return thresholdEnd - after, thresholdEnd - after + place
}
