// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small makes a row of thousands one that takes no time, and still needs
// several shards of which the last is not full. Posts that are sent at once divide it.
func small(r row) row {
	r.size = min(r.size, 2*shardSize+postsAtOnce)
	return r
}

// measure fails if a message is not handled, or a span is not made.
func TestEveryRowHasItsEffect(t *testing.T) {
	for _, r := range allRows() {
		t.Run(r.name, func(t *testing.T) {
			res, err := tiny.measure(small(r))
			require.NoError(t, err)
			require.Len(t, res.rounds, tiny.rounds)
			for _, v := range r.variants {
				assert.Positive(t, res.summary(v.name).median, v.name)
			}
			assert.Len(t, res.findings(), len(r.ratios))
		})
	}
}

func TestRatiosNameVariantsOfTheirRow(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows() {
		assert.False(t, seen[r.name], "%s twice", r.name)
		seen[r.name] = true
		assert.Equal(t, raw, r.variants[0].name)
		full := round{}
		for _, v := range r.variants {
			full[v.name] = sample{ns: 1, bytes: 1}
		}
		for _, q := range r.ratios {
			value := q.of(full)
			assert.True(t, value >= 0 && value <= 1, "%s %s is %v", r.name, q.name, value)
		}
	}
}
