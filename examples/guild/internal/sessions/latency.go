// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"math"
	"sync/atomic"
	"time"
)

// SlowAfter is from when on the handling of a message is a slow one.
const SlowAfter = 10 * time.Millisecond

// Latency counts how long every delivery took: the truth, to hold the estimates
// from the few spans against.
type Latency struct {
	buckets [latencyBuckets]atomic.Int64
}

// Buckets of latencies grow by a hundredth each, from a microsecond to an hour.
const (
	latencyBuckets = 2300
	latencyGrowth  = 1.01
)

// Took takes note of a message whose handling began waited after it was sent.
func (l *Latency) Took(waited, handling time.Duration) {
	i := math.Log(max(float64(waited+handling)/float64(time.Microsecond), 1)) / math.Log(latencyGrowth)
	l.buckets[min(int(i), latencyBuckets-1)].Add(1)
}

// Quantile returns the latency, from sending to the end of the handling, that a
// share q of all deliveries do not exceed, to a hundredth; 0 without any.
func (l *Latency) Quantile(q float64) time.Duration {
	var all int64
	for i := range l.buckets {
		all += l.buckets[i].Load()
	}
	var below int64
	for i := range l.buckets {
		below += l.buckets[i].Load()
		if below > 0 && float64(below) >= q*float64(all) {
			return time.Duration(math.Pow(latencyGrowth, float64(i)+0.5) * float64(time.Microsecond))
		}
	}
	return 0
}

// Counts returns how many deliveries there were in each bucket that has some. Only [Latency.Add]
// knows what that means.
func (l *Latency) Counts() map[int]int64 {
	counts := make(map[int]int64)
	for i := range l.buckets {
		if n := l.buckets[i].Load(); n > 0 {
			counts[i] = n
		}
	}
	return counts
}

// Add adds what another Latency has counted. Buckets that there are not are left out.
func (l *Latency) Add(counts map[int]int64) {
	for i, n := range counts {
		if i >= 0 && i < latencyBuckets {
			l.buckets[i].Add(n)
		}
	}
}
