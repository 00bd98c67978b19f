// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package gcra implements the generic cell rate algorithm of ATM (ITU-T I.371). Whether
// something is admitted depends on what was admitted before, and not on its own cost.
package gcra

import "sync/atomic"

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

// Refund gives back the cost of a thing that was admitted and then not done.
func (l *Limiter) Refund(cost int64) { l.due.Add(-cost) }
