// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package w3cbaggage

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/otel/baggage"
)

// Encode returns the list of the members of bag, sorted by key, and how many members it
// has left out. A member is left out if it may not pass, if it does not fit, or if its
// key is not a token, which the standard requires.
func Encode(bag baggage.Baggage, limits Limits) (list string, dropped int) {
	members := bag.Members()
	slices.SortFunc(members, func(x, y baggage.Member) int { return cmp.Compare(x.Key(), y.Key()) })
	var space [256]byte
	b, written := space[:0], 0
	for _, m := range members {
		before := len(b)
		if written > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, m)
		if written == limits.members() || len(b) > limits.bytes() || !isToken(m.Key()) || !limits.allows(m.Key()) {
			b = b[:before]
			continue
		}
		written++
	}
	return string(b), len(members) - written
}
