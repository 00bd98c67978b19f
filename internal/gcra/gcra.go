// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package gcra is the generic cell rate algorithm of ATM (ITU-T I.371), in the form that
// looks at what was admitted before and not at what is asked for now.
package gcra

import "sync/atomic"

// Limiter admits things at a rate. The zero Limiter has admitted nothing. It may be used
// by any number of goroutines, and has no lock.
type Limiter struct {
	// due is the time at which what was admitted is within the rate again, were it
	// spread out evenly; 0 while nothing was.
	due atomic.Int64
}

// Admit reports whether one more thing is admitted at now, which takes cost of the
// rate's time, where things may come burst earlier than evenly spread. All are in
// nanoseconds; now may be below zero, as simulated clocks are.
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

// Refund takes back what was admitted and not done after all.
func (l *Limiter) Refund(cost int64) { l.due.Add(-cost) }
