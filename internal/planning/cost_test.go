// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// countingSource counts the random numbers drawn from it.
type countingSource struct {
	rand.Source
	draws int
}

func (s *countingSource) Uint64() uint64 {
	s.draws++
	return s.Source.Uint64()
}

// drawsFor is how many random numbers one plan of c for n draws, and how many
// it should. A number that would make a choice uneven is drawn again; that
// happens once in 2³²/n, and never with these seeds.
func drawsFor(c sampling.GroupConfig, n int) (draws, want int) {
	source := &countingSource{Source: rand.NewPCG(1, 2)}
	p := planOf(c, n, rand.New(source))
	want = len(p.Sampled)
	if want == n {
		want = 0
	}
	if p.Expected != math.Floor(p.Expected) {
		want++
	}
	return source.draws, want
}

func TestPlanDrawsOnePerChosen(t *testing.T) {
	for _, n := range []int{1, 2, 7, 50, 100, 101, 1000, 10_000, 12_345, 100_000, 1_000_000} {
		draws, want := drawsFor(sampling.GroupConfig{}, n)
		assert.Equal(t, want, draws, "n = %d", n)
	}
	for _, k := range []int{1, 10, 64, 65, 500} {
		few, want := drawsFor(exactly(k), 1000)
		assert.Equal(t, want, few)
		assert.Equal(t, k, few)
		many, _ := drawsFor(exactly(k), 100_000)
		assert.Equal(t, few, many, "the size of the fan-out does not matter")
	}
	none, _ := drawsFor(sampling.GroupConfig{Curve: sampling.Always()}, 1000)
	assert.Zero(t, none, "all are chosen")
	zero, _ := drawsFor(sampling.GroupConfig{}, 0)
	assert.Zero(t, zero)
}

func TestPlanAllocations(t *testing.T) {
	random := stattest.Fixed(1)
	for name, source := range map[string]*rand.Rand{"given": random, "runtime's": nil} {
		for _, n := range []int{1000, 100_000, math.MaxInt32} {
			for _, k := range []int{1, 10, 33, 64} {
				c := exactly(k)
				var chosen []int
				assert.InDelta(t, 1, testing.AllocsPerRun(50, func() { chosen = planOf(c, n, source).Sampled }), 0,
					"Sampled and nothing else: %d of %d, %s", k, n, name)
				assert.Len(t, chosen, k)
			}
			assert.InDelta(t, 2, testing.AllocsPerRun(50, func() { _ = planOf(exactly(65), n, source) }), 0,
				"above 64 there is a table")
		}
		assert.Zero(t, testing.AllocsPerRun(50, func() { _ = planOf(sampling.GroupConfig{}, 0, source) }))
	}
}

func TestRecipientAllocatesNothing(t *testing.T) {
	p := planOf(exactly(10), 1000, stattest.Fixed(1))
	var f fanout.Fanout
	assert.Zero(t, testing.AllocsPerRun(50, func() { f = p.Recipient(3) }))
	assert.InDelta(t, 100, f.Weight, 0)
}

// quickest returns how long each of two pieces of work takes, at best, of many
// tries in turns.
func quickest(tries int, one, two func()) (float64, float64) {
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for range tries {
		for i, work := range []func(){one, two} {
			start := time.Now()
			work()
			best[i] = min(best[i], time.Since(start))
		}
	}
	return float64(best[0]), float64(best[1])
}

// TestPlanTimeDoesNotGrowWithTheSize: 100,000 recipients at most 1.2 times 1,000.
// What disturbs a measurement only makes it longer, so the shortest of many short
// ones is taken, and all again if it was not undisturbed even once.
func TestPlanTimeDoesNotGrowWithTheSize(t *testing.T) {
	plans := func(k, n int) func() {
		c, random := exactly(k), stattest.Fixed(1)
		return func() {
			for range 20 {
				_ = planOf(c, n, random)
			}
		}
	}
	for _, k := range []int{1, 10, 64} {
		var ratio float64
		for range 10 {
			few, many := quickest(200, plans(k, 1000), plans(k, 100_000))
			if ratio = many / few; ratio <= 1.2 {
				break
			}
		}
		assert.LessOrEqual(t, ratio, 1.2, "%d chosen", k)
		t.Logf("%d chosen: %.2f", k, ratio)
	}

	// Negative control: a coin for each recipient.
	coins := func(n int) func() {
		random, chosen := stattest.Fixed(1), 0
		return func() {
			for range n {
				if random.IntN(n) < 10 {
					chosen++
				}
			}
		}
	}
	few, many := quickest(3, coins(1000), coins(100_000))
	assert.Greater(t, many/few, 1.2)
}
