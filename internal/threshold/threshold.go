// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package threshold reads and writes OpenTelemetry's member of the tracestate, which
// states how a trace was sampled (OTEP 235, "Sampling Threshold Propagation in
// TraceState", and the specification's pages "TraceState Handling" and "TraceState:
// Probability Sampling"):
//
//	ot=th:fd70a4;rv:6e6d1a75832a2f
//
// The threshold th and the randomness rv are numbers of 56 bits in hexadecimal. A span
// is sampled if its randomness is not below the threshold. Trailing zeros of a
// threshold are left out.
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
	numberEnd    = 1 << 56 // just above the largest number of 56 bits
)

// Probability returns the probability with which a trace was sampled at its head. The
// tracestate states it as a threshold. Probability reports false if there is no
// threshold or a malformed one.
func Probability(ts trace.TraceState) (float64, bool) {
	threshold, ok := parseThreshold(subValue(ts.Get(TraceStateKey), thresholdName))
	if !ok {
		return 0, false
	}
	return float64(numberEnd-threshold) / numberEnd, true
}

// Clear returns ts without the sampling threshold in OpenTelemetry's member. It is for
// a span that exists for another reason than the threshold, like the late span of a
// recipient that was not sampled. The rest of the member moves to the front, because it
// was changed. If there is no rest, the member is removed. If there is no threshold,
// Clear returns ts.
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
	// A value must not end with a space.
	next, err := ts.Insert(TraceStateKey, strings.TrimRight(strings.Join(kept, ";"), " "))
	if err != nil { // It cannot happen, because the value is part of a valid one.
		return ts.Delete(TraceStateKey)
	}
	return next
}
