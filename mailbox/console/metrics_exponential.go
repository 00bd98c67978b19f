// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"math"
	"slices"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// exponentialPoints returns exponential histograms as histograms that have the same
// buckets with their bounds. So a reader needs to know one form only.
func exponentialPoints[N int64 | float64](from []metricdata.ExponentialHistogramDataPoint[N]) []point {
	points := make([]point, 0, len(from))
	for i := range from {
		h := &from[i]
		p := summed(&h.Attributes, h.Count, h.Sum, h.Min, h.Max, h.Exemplars)
		p.Bounds, p.Counts = explicitBuckets(h.Scale, h.ZeroCount, h.ZeroThreshold, h.PositiveBucket, h.NegativeBucket)
		points = append(points, p)
	}
	return points
}

// buckets are those of a histogram, from the lowest to the highest.
type buckets struct {
	bounds []float64 // ascending; each is the upper bound of a bucket
	counts []uint64
}

// add adds a bucket up to bound. Where two bounds are the same number, as they are beyond
// what a number can be, their buckets are one.
func (b *buckets) add(bound float64, count uint64) {
	if last := len(b.bounds) - 1; last >= 0 && !(bound > b.bounds[last]) {
		b.counts[last] += count
		return
	}
	b.bounds, b.counts = append(b.bounds, bound), append(b.counts, count)
}

func explicitBuckets(
	scale int32, zeros uint64, zeroThreshold float64, positive, negative metricdata.ExponentialBucket,
) ([]number, []uint64) {
	bound := func(offset int32, i int) float64 { // where bucket i begins
		return math.Exp2((float64(offset) + float64(i)) * math.Exp2(-float64(scale)))
	}
	var b buckets
	if n := len(negative.Counts); n > 0 {
		b.add(-bound(negative.Offset, n), 0) // No value is below.
		for i, count := range slices.Backward(negative.Counts) {
			b.add(-bound(negative.Offset, i), count)
		}
		b.add(-zeroThreshold, 0)
	}
	b.add(zeroThreshold, zeros)
	if n := len(positive.Counts); n > 0 {
		b.add(bound(positive.Offset, 0), 0)
		for i, count := range positive.Counts {
			b.add(bound(positive.Offset, i+1), count)
		}
	}
	numbers := make([]number, 0, len(b.bounds))
	for _, bound := range b.bounds {
		numbers = append(numbers, newNumber(bound))
	}
	return numbers, append(b.counts, 0) // No value is above.
}
