// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package w3cbaggage reads and writes W3C Baggage. Packages propagate and envelope/wire
// carry it in a header and inside a message. OpenTelemetry's package baggage holds the
// members.
package w3cbaggage

import "slices"

// The W3C asks everybody to carry this much, and package baggage can hold no more.
const (
	maxMembers = 64
	maxBytes   = 8192
)

// Limits says which members may pass. The zero Limits are those of the standard.
type Limits struct {
	// Allow lists the keys that may pass. If it is nil, all may pass.
	Allow []string
	// Members is how many members may pass, and Bytes is how long the list may be.
	// Zero, negative and larger numbers mean the largest ones, 64 and 8,192.
	Members, Bytes int
}

func (l Limits) allows(key string) bool { return l.Allow == nil || slices.Contains(l.Allow, key) }

func (l Limits) members() int { return lowered(l.Members, maxMembers) }

func (l Limits) bytes() int { return lowered(l.Bytes, maxBytes) }

// lowered returns limit, or most if limit is not set or not less than most.
func lowered(limit, most int) int {
	if limit <= 0 {
		return most
	}
	return min(limit, most)
}
