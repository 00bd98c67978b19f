// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

func sessions(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("session-%d", i)
	}
	return s
}

// All programs and versions must agree, so what the hash gives is pinned.
func TestRankIsTheSameEverywhere(t *testing.T) {
	all := []string{"a", "b", "c", "d"}
	assert.Equal(t, []string{"d", "c", "a", "b"}, ownership.Rank(all, "42"))
	assert.Equal(t, []string{"a", "b", "c", "d"}, all, "what was given is not changed")
	slices.Reverse(all)
	assert.Equal(t, []string{"d", "c", "a", "b"}, ownership.Rank(all, "42"), "the order does not matter")
	assert.Empty(t, ownership.Rank(nil, "42"))
}

// Each session comes first for its share of the IDs. With 10,000 IDs over 8 sessions, a
// share is 1,250 with a standard deviation of 33; the test allows five of those. Similar
// IDs, such as numbers, are the hard case. A hash without its finalizer does not pass.
func TestRankIsBalanced(t *testing.T) {
	const ids, nodes = 10000, 8
	first, second := map[string]int{}, map[string]int{}
	for i := range ids {
		ranked := ownership.Rank(sessions(nodes), fmt.Sprint(i))
		first[ranked[0]]++
		second[ranked[1]]++
	}
	require.Len(t, first, nodes)
	for s, n := range first {
		assert.InDelta(t, ids/nodes, n, 165, s)
		assert.InDelta(t, ids/nodes, second[s], 165, s)
	}
}

// If a session goes, only its own IDs move; if one comes, IDs only move to it.
func TestRankIsStable(t *testing.T) {
	all := sessions(5)
	moved := 0
	for i := range 1000 {
		id := fmt.Sprint(i)
		before, after := ownership.Rank(all, id), ownership.Rank(all[:4], id)
		if before[0] == all[4] {
			moved++
			require.Equal(t, before[1], after[0])
		} else {
			require.Equal(t, before[0], after[0])
		}
	}
	assert.InDelta(t, 200, moved, 65)
}
