// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate

import "hash/maphash"

// Slots is how many lines are remembered at most.
const Slots = slots

// Remembered is how many lines are.
func Remembered() (n int) {
	for i := range memory {
		if memory[i].kept.Load() != nil {
			n++
		}
	}
	return n
}

// LongestRemembered is the length of the longest of them.
func LongestRemembered() (n int) {
	for i := range memory {
		if r := memory[i].kept.Load(); r != nil {
			n = max(n, len(r.line))
		}
	}
	return n
}

// Remembers reports whether a line is.
func Remembers(line string) bool {
	r := memory[maphash.String(seed, line)%slots].kept.Load()
	return r != nil && r.line == line
}
