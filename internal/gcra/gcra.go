// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package gcra implements the generic cell rate algorithm of ATM (ITU-T I.371). Whether
// something is admitted depends on what was admitted before, and not on its own cost.
package gcra

import (
	"math"
	"sync/atomic"
	"time"
)

// Limiter admits things at a rate. The zero Limiter has admitted nothing. It may be used
// by any number of goroutines, and has no lock.
type Limiter struct {
	// due is the time by which the rate allows all that was admitted; 0 if nothing was.
	due atomic.Int64
}

// Admit reports whether one more thing is admitted at the time now. The thing takes
// cost of the rate's time, and it may come up to burst earlier than it would if things
// were spread evenly. All three are in nanoseconds. now may be negative, as the times
// of simulated clocks are.
func (l *Limiter) Admit(now, cost, burst int64) bool {
	for {
		due := l.due.Load()
		if due != 0 && due-now > burst {
			return false
		}
		from := now
		if due != 0 {
			from = max(now, due)
		}
		if cost == 0 || l.due.CompareAndSwap(due, from+cost) {
			return true
		}
	}
}

// Allow reports whether one more thing is admitted at now, in nanoseconds, at a rate of
// so many per second, with a second's worth at once. The rate may be +Inf.
func (l *Limiter) Allow(now int64, perSecond float64) bool {
	if math.IsInf(perSecond, 1) {
		return true
	}
	const longest = 1 << 60 // ns, some 36 years: more would overflow.
	cost := int64(min(float64(time.Second)/perSecond, longest))
	return l.Admit(now, cost, max(int64(time.Second)-cost, 0))
}

// Refund gives back the cost of a thing that was admitted and then not done.
func (l *Limiter) Refund(cost int64) { l.due.Add(-cost) }
