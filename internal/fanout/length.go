// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import "go.opentelemetry.io/otel/trace"

// Lengths in characters, from W3C Trace Context level 2, section 3.3.1.5. Everybody
// should propagate lists of maxListLength. If a list is too long, members longer than
// maxMemberLength should be removed first.
const (
	maxListLength   = 512
	maxMemberLength = 128
)

// listLength returns the length of ts as a header, which is the length of ts.String().
func listLength(ts trace.TraceState) int {
	n := max(ts.Len()-1, 0) // commas
	ts.Walk(func(key, value string) bool {
		n += memberLength(key, value)
		return true
	})
	return n
}

func memberLength(key, value string) int { return len(key) + len("=") + len(value) }

// shorten removes members from ts until ts is no longer than limit. It removes the last
// very long member, or, if there is none, the last member. The first member stays.
func shorten(ts trace.TraceState, limit int) trace.TraceState {
	for ts.Len() > 1 && listLength(ts) > limit {
		var last, long string
		first := true
		ts.Walk(func(key, value string) bool {
			if !first {
				last = key
				if memberLength(key, value) > maxMemberLength {
					long = key
				}
			}
			first = false
			return true
		})
		if long != "" {
			last = long
		}
		ts = ts.Delete(last)
	}
	return ts
}
