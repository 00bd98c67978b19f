// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMedian(t *testing.T) {
	assert.Zero(t, median(nil))
	assert.InDelta(t, 7, median([]float64{7}), 0)
	assert.InDelta(t, 2, median([]float64{9, 1, 2}), 0)
	assert.InDelta(t, 3, median([]float64{9, 1, 2, 4}), 0)

	values := []float64{3, 1, 2}
	median(values)
	assert.Equal(t, []float64{3, 1, 2}, values)
}

// threeRounds has a machine that slows down tenfold in its second round.
func threeRounds() result {
	return result{
		row: row{
			name: "work", about: "some work",
			variants: []variant{{name: raw}, {name: ours}},
			ratios:   []ratio{quotient(ours, raw, 0.5), quotient(ours, raw, 0.49), bytesOf(ours, 24)},
		},
		rounds: []round{
			{raw: {ns: 100, allocs: 1, bytes: 64}, ours: {ns: 50, allocs: 0, bytes: 16}},
			{raw: {ns: 1000, allocs: 1, bytes: 64}, ours: {ns: 500, allocs: 0, bytes: 16}},
			{raw: {ns: 120, allocs: 2, bytes: 96}, ours: {ns: 600, allocs: 3, bytes: 32}},
		},
	}
}

func TestSummary(t *testing.T) {
	assert.Equal(t, summary{raw, 120, 100, 1000, 1, 64, 3}, threeRounds().summary(raw))
	assert.Equal(t, summary{ours, 500, 50, 600, 0, 16, 3}, threeRounds().summary(ours))
}

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	// The ratio of the medians would be above 4.
	assert.Equal(t, []finding{
		{"work ours/raw", 0.5, 0.5, true},
		{"work ours/raw", 0.5, 0.49, false},
		{"work ours bytes", 16, 24, true},
	}, threeRounds().findings())
}

func TestTheWorstIsThatOfAllRounds(t *testing.T) {
	r := threeRounds()
	r.row.ratios = []ratio{worstDelay(ours, 0.0006), worstDelay(ours, 0.0005)}
	assert.Equal(t, []finding{
		{"work ours worst ms", 0.0006, 0.0006, true},
		{"work ours worst ms", 0.0006, 0.0005, false},
	}, r.findings())
}

func TestAllOperationsTogether(t *testing.T) {
	r := round{ours: {ns: 70, bytes: 170}}
	assert.InDelta(t, 340, allMB(ours, 2_000_000, 1).of(r), 1e-9)
	assert.InDelta(t, 0.14, allSeconds(ours, 2_000_000, 1).of(r), 1e-9)
}

func TestToRaw(t *testing.T) {
	r := threeRounds()
	assert.InDelta(t, 1, r.toRaw(raw), 0)
	assert.InDelta(t, 0.5, r.toRaw(ours), 0)
	r.row.memory = retained
	assert.InDelta(t, 0.25, r.toRaw(ours), 0)
}

func TestPerSampled(t *testing.T) {
	q := perSampled(100) // 10 % are sampled.
	r := round{oursUntraced: {ns: 100}, oursSampled: {ns: 300}}
	assert.InDelta(t, 2000, q.of(r), 1e-6)
}
