// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"cmp"
	"slices"
)

// Rank returns the sessions in the order in which they should own id, by rendezvous hashing:
// each session has a weight for each ID, and the largest comes first. All nodes compute
// the same order. If a session goes, only the IDs that it came first for have another first;
// and a new one becomes first for its share of the IDs. The sessions are not changed.
func Rank(sessions []string, id string) []string {
	type weighed struct {
		session string
		weight  uint64
	}
	all := make([]weighed, len(sessions))
	for i, s := range sessions {
		all[i] = weighed{s, weigh(s, id)}
	}
	slices.SortFunc(all, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.session, b.session))
	})
	ranked := make([]string, len(all))
	for i, w := range all {
		ranked[i] = w.session
	}
	return ranked
}

// weigh is 64-bit FNV-1a of the session, a zero and the ID, and then the finalizer of
// MurmurHash3, without which similar IDs would have similar weights. It is the same in
// every program, unlike hash/maphash.
func weigh(session, id string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(session) {
		h = (h ^ uint64(session[i])) * prime
	}
	h *= prime
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
