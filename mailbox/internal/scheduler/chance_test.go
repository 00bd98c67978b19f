// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

var errChance = errors.New("not one in n, or not independent")

// checkChance judges choices of which each is one in the n of its place: how many are
// positive, and how often two of the same place and one of the next are.
func checkChance(ns []uint32, rounds int, choose func(n uint32) bool) error {
	counts, pairs := make([]int, len(ns)), make([]int, len(ns))
	before := make([]bool, len(ns))
	last := false
	for range rounds {
		for i, n := range ns {
			chosen := choose(n)
			if chosen {
				counts[i]++
			}
			if chosen && (before[i] || last && len(ns) > 1) {
				pairs[i]++
			}
			before[i], last = chosen, chosen
		}
	}
	for i, n := range ns {
		p := 1 / float64(n)
		q := p // The probability that one of those before is positive.
		if len(ns) > 1 {
			q = 1 - (1-p)*(1-1/float64(ns[(i+len(ns)-1)%len(ns)]))
		}
		if off(counts[i], rounds, p) || off(pairs[i], rounds, p*q) {
			return errChance
		}
	}
	return nil
}

// off reports whether a count has not its mean. Pairs overlap, which makes their
// variance larger, at most threefold. The tolerance is 6 standard deviations, because the
// numbers are new in every run.
func off(count, trials int, p float64) bool {
	limit := 6 * math.Sqrt(3*float64(trials)*p*(1-p))
	return math.Abs(float64(count)-float64(trials)*p) > limit+1
}

func TestChance(t *testing.T) {
	for _, ns := range [][]uint32{{1}, {2}, {10}, {100}, {2, 3}, {10, 3, 1000}} {
		var chance, none *scheduler.Chance
		chance = new(scheduler.Chance)
		require.NoError(t, checkChance(ns, 200_000, chance.OneIn), ns)
		require.NoError(t, checkChance(ns, 200_000, none.OneIn), ns)
	}
}

func TestWrongChancesAreFound(t *testing.T) {
	random := stattest.Fixed(1)
	i := 0
	for name, choose := range map[string]func(n uint32) bool{
		"one in n + 1":  func(n uint32) bool { return random.Uint32N(n+1) == 0 },
		"every n-th":    func(n uint32) bool { i++; return i%int(n) == 0 },
		"1/n as a step": func(n uint32) bool { return random.Float64() < 1-math.Exp(-1/float64(n)) },
		"in twos":       func(n uint32) bool { i++; return (i/2)%int(n) == 0 },
	} {
		assert.ErrorIs(t, checkChance([]uint32{3}, 200_000, choose), errChance, name)
	}
}
