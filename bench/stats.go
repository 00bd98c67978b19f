// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// summary holds the figures of a variant for the table.
type summary struct {
	name                           string
	median, min, max, allocs, size float64
	runs                           int
}

// median returns the median of values, zero if there are none. It does not change
// values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// over returns the values of a figure in all counted rounds.
func (r result) over(figure func(round) float64) []float64 {
	values := make([]float64, 0, len(r.rounds))
	for _, this := range r.rounds {
		values = append(values, figure(this))
	}
	return values
}

// summary returns the figures of one variant.
func (r result) summary(variant string) summary {
	times := r.over(func(this round) float64 { return this[variant].ns })
	return summary{
		name:   variant,
		median: median(times),
		min:    slices.Min(times),
		max:    slices.Max(times),
		allocs: median(r.over(func(this round) float64 { return this[variant].allocs })),
		size:   median(r.over(func(this round) float64 { return this[variant].bytes })),
		runs:   len(times),
	}
}

// toRaw compares a variant with raw, in bytes if the row is about memory, and in time
// if not.
func (r result) toRaw(variant string) float64 {
	return median(r.over(func(this round) float64 {
		if r.row.memory != allotted {
			return this[variant].bytes / this[raw].bytes
		}
		return this[variant].ns / this[raw].ns
	}))
}

// finding is a ratio that was measured.
type finding struct {
	name          string
	value, target float64
	ok            bool
}

// findings returns the medians of the row's ratios, or the worst ones. A ratio is
// computed within each round, because a machine that slows down slows both sides.
func (r result) findings() []finding {
	found := make([]finding, 0, len(r.row.ratios))
	for _, q := range r.row.ratios {
		over := median
		if q.worst {
			over = slices.Max[[]float64]
		}
		value := over(r.over(q.of))
		found = append(found, finding{r.row.name + " " + q.name, value, q.target, value <= q.target})
	}
	return found
}
