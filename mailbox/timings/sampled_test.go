// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox/timings"
)

// One in n at random gives unbiased counts and times: of light and of heavy messages, also
// where they take turns, which a choice of every n-th would get wrong.
func TestSampledTimingsAreUnbiased(t *testing.T) {
	const processes, each, n = 50, 400, 8
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, n)
		kind := newKind(t, sys, "session")
		for i := range processes {
			ref := spawn(t, kind, strconv.Itoa(i))
			for range each / n {
				send(t, ref, update{8 * time.Millisecond}) // One of n, always at the same place.
				for range n - 1 {
					send(t, ref, create{time.Millisecond})
				}
			}
		}
		drain(t, sys)
		all := store.Kinds(timings.Query{Minutes: 60}).Kinds[0]
		require.Len(t, all.Types, 2)
		for _, row := range all.Types {
			takes, messages := time.Millisecond, processes*each*(n-1)/n
			if row.Type == "update" {
				takes, messages = 8*time.Millisecond, processes*each/n
			}
			require.NoError(t, checkEstimate(float64(row.Count), messages, n), row.Type)
			assert.Equal(t, row.Timed*n, row.Count)
			assert.Equal(t, time.Duration(row.Count)*takes, row.Busy)
			assert.Equal(t, takes, row.Longest)
		}
		assert.Less(t, all.All.Timed, all.All.Count)
	})
}

// checkEstimate judges an estimate of a number of messages of which one in n was counted.
func checkEstimate(estimate float64, messages int, n float64) error {
	counted := estimate / n
	mean := float64(messages) / n
	if limit := stattest.Tolerance * math.Sqrt(mean*(1-1/n)); math.Abs(counted-mean) > limit {
		return errBiased
	}
	return nil
}

var errBiased = errors.New("the estimate is biased")

// The judge of the test above finds out a choice that goes by the place of a message, and
// one that is a little off.
func TestBiasIsFound(t *testing.T) {
	const messages, n = 17_500, 8
	random := stattest.Fixed(1)
	for name, test := range map[string]struct {
		want   error
		choose func() bool
	}{
		"one in n":             {nil, func() bool { return random.IntN(n) == 0 }},
		"one in n + 2":         {errBiased, func() bool { return random.IntN(n+2) == 0 }},
		"each n-th, which are": {errBiased, func() bool { return true }},
		"each n-th, which not": {errBiased, func() bool { return false }},
	} {
		counted := 0
		for range messages {
			if test.choose() {
				counted++
			}
		}
		assert.Equal(t, test.want, checkEstimate(float64(counted*n), messages, n), name)
	}
}
