// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package threshold reads and writes what OpenTelemetry's member of the tracestate
// states of how a trace was sampled (OTEP 235, "Sampling Threshold Propagation in
// TraceState", and the specification's pages "TraceState Handling" and "TraceState:
// Probability Sampling"):
//
//	ot=th:fd70a4;rv:6e6d1a75832a2f
//
// The threshold th and the randomness rv are numbers of 56 bits in hexadecimal. A span
// is sampled if its randomness is not below the threshold; a threshold's trailing zeros
// are left out.
package threshold

import (
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// TraceStateKey names OpenTelemetry's member of the tracestate.
const TraceStateKey = "ot"

const (
	thresholdName = "th"
	randomName    = "rv"

	numberDigits = 14
	numberEnd    = 1 << 56 // just above all numbers of so many digits
)

// Probability returns the probability with which a trace was sampled at its
// head, which its tracestate states as a threshold. It reports false if that
// states none, or a malformed one.
func Probability(ts trace.TraceState) (float64, bool) {
	threshold, ok := parseThreshold(subValue(ts.Get(TraceStateKey), thresholdName))
	if !ok {
		return 0, false
	}
	return float64(numberEnd-threshold) / numberEnd, true
}

// Clear returns ts without the sampling threshold that OpenTelemetry's
// member may have, as it is to be on a span that exists for another reason than
// that, like the late span of a recipient that was not sampled. The rest of that
// member moves to the front, as it was changed; nothing is left of one that had
// nothing else. A ts without a threshold is returned as it is.
func Clear(ts trace.TraceState) trace.TraceState {
	member := ts.Get(TraceStateKey)
	if !hasSubKey(member, thresholdName) {
		return ts
	}
	var kept []string
	empty := true
	for field := range strings.SplitSeq(member, ";") {
		if subName(field) != thresholdName {
			kept = append(kept, field)
			empty = empty && strings.TrimSpace(field) == ""
		}
	}
	if empty {
		return ts.Delete(TraceStateKey)
	}
	// A value must not end in a blank.
	next, err := ts.Insert(TraceStateKey, strings.TrimRight(strings.Join(kept, ";"), " "))
	if err != nil { // Part of a valid value: it cannot be.
		return ts.Delete(TraceStateKey)
	}
	return next
}
