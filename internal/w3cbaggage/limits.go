// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package w3cbaggage reads and writes W3C Baggage, for the packages that carry it in a
// header and inside a message. OpenTelemetry's package baggage holds what is read.
package w3cbaggage

import "slices"

// What the W3C asks everyone to carry, and what package baggage can hold.
const (
	maxMembers = 64
	maxBytes   = 8192
)

// Limits are on what may pass. The zero Limits are those of the standard.
type Limits struct {
	// Allow lists the keys that may pass. Nil lets all pass.
	Allow []string
	// Members and Bytes are how many members may pass, and how long the list may be:
	// 64 and 8,192, the most, if they are zero, negative or more than that.
	Members, Bytes int
}

func (l Limits) allows(key string) bool { return l.Allow == nil || slices.Contains(l.Allow, key) }

func (l Limits) members() int { return lowered(l.Members, maxMembers) }

func (l Limits) bytes() int { return lowered(l.Bytes, maxBytes) }

// lowered returns limit, or most if it is not less than that or not set.
func lowered(limit, most int) int {
	if limit <= 0 {
		return most
	}
	return min(limit, most)
}
