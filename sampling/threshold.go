// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// OpenTelemetry's member of the tracestate states with what probability a trace
// was sampled, and the randomness by which (OTEP 235, "Sampling Threshold
// Propagation in TraceState", and the specification's pages "TraceState Handling"
// and "TraceState: Probability Sampling"):
//
//	ot=th:fd70a4;rv:6e6d1a75832a2f
//
// Both are numbers of 56 bits in hexadecimal. A span is sampled if its randomness
// is not below the threshold; a threshold's trailing zeros are left out.
const (
	otKey         = "ot"
	thresholdName = "th"
	randomName    = "rv"

	thresholdDigits = 14
	thresholdEnd    = 1 << 56 // just above all of them
)

// TraceProbability returns the probability with which a trace was sampled at its
// head, which its tracestate states as a threshold. It reports false if that
// states none, or a malformed one.
func TraceProbability(ts trace.TraceState) (float64, bool) {
	threshold, ok := parseThreshold(subValue(ts.Get(otKey), thresholdName))
	if !ok {
		return 0, false
	}
	return float64(thresholdEnd-threshold) / thresholdEnd, true
}

// ClearThreshold returns ts without the sampling threshold that OpenTelemetry's
// member may have, as it is to be on a span that exists for another reason than
// that, like the late span of a recipient that was not chosen. The rest of that
// member moves to the front, as it was changed; nothing is left of one that had
// nothing else. A ts without a threshold is returned as it is.
func ClearThreshold(ts trace.TraceState) trace.TraceState {
	member := ts.Get(otKey)
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
		return ts.Delete(otKey)
	}
	// A value must not end in a blank.
	next, err := ts.Insert(otKey, strings.TrimRight(strings.Join(kept, ";"), " "))
	if err != nil { // Part of a valid value: it cannot be.
		return ts.Delete(otKey)
	}
	return next
}

func subName(field string) string {
	name, _, _ := strings.Cut(field, ":")
	return strings.TrimSpace(name)
}

func hasSubKey(member, name string) bool {
	for field := range strings.SplitSeq(member, ";") {
		if subName(field) == name {
			return true
		}
	}
	return false
}

// subValue returns the value of a sub-key of OpenTelemetry's member; "" if there
// is none, or if there are two, which is forbidden.
func subValue(member, name string) string {
	found, times := "", 0
	for field := range strings.SplitSeq(member, ";") {
		if value, ok := strings.CutPrefix(field, name); ok && strings.HasPrefix(value, ":") {
			found = value[1:]
			times++
		}
	}
	if times != 1 {
		return ""
	}
	return found
}

// parseThreshold reads 1 to 14 hexadecimal digits, to which trailing zeros are
// added. The specification has them in upper case in one place and forbids it in
// another: both are read, and lower case is written.
func parseThreshold(text string) (uint64, bool) {
	if text == "" || len(text) > thresholdDigits {
		return 0, false
	}
	n, ok := parseHex(text)
	return n << (4 * (thresholdDigits - len(text))), ok
}

// parseRandomness reads exactly 14 hexadecimal digits in lower case.
func parseRandomness(text string) (uint64, bool) {
	if len(text) != thresholdDigits || strings.ToLower(text) != text {
		return 0, false
	}
	return parseHex(text)
}

func parseHex(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 16, 64) // Neither signs nor underscores with a base given.
	return n, err == nil
}

// appendThreshold appends threshold without its trailing zeros.
func appendThreshold(dst []byte, threshold uint64) []byte {
	end := len(dst) + thresholdDigits
	dst = appendRandomness(dst, threshold)
	for end > len(dst)-thresholdDigits+1 && dst[end-1] == '0' {
		end--
	}
	return dst[:end]
}

// appendRandomness appends all digits.
func appendRandomness(dst []byte, random uint64) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (thresholdDigits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[random>>shift&15])
	}
	return dst
}
