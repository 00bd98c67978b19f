// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"math"
	"sync/atomic"
	"time"
)

// ended is the time until which a lease lasts that has been ended.
const ended = math.MinInt64

// Lease says until when a node may act. It counts from when a renewal was sent, not from
// when it was answered. It can be ended early, and then never lasts again. The zero Lease has
// never begun. All methods may be called at any time by any goroutine.
type Lease struct {
	base  time.Time
	until atomic.Int64 // by the monotonic clock, since base
	wall  atomic.Int64 // by the wall clock, in Unix nanoseconds
}

// newLease returns a lease that has not begun. It counts from base, which is now.
func newLease(base time.Time) *Lease { return &Lease{base: base} }

// Extend lets the lease last until that. It reports false if the lease was ended before.
func (l *Lease) Extend(until time.Time) bool {
	mono, wall := int64(until.Sub(l.base)), until.UnixNano()
	for {
		old := l.until.Load()
		if old == ended {
			return false
		}
		if mono <= old {
			return true
		}
		if l.until.CompareAndSwap(old, mono) {
			l.wall.Store(wall)
			return true
		}
	}
}

// Held reports whether the lease lasts at that time. Both clocks must say so: the monotonic
// clock of Linux goes on while a program is stopped, but not while the machine sleeps, and
// the wall clock may be set back.
func (l *Lease) Held(now time.Time) bool {
	return int64(now.Sub(l.base)) < l.until.Load() && now.UnixNano() < l.wall.Load()
}

// End ends the lease for good. It reports whether this call did.
func (l *Lease) End() bool { return l.until.Swap(ended) != ended }

// Remaining returns how long the lease lasts from now on. It is not positive if it does not.
func (l *Lease) Remaining(now time.Time) time.Duration {
	until := l.until.Load()
	if until == ended {
		return 0
	}
	return min(l.base.Add(time.Duration(until)).Sub(now), time.Duration(l.wall.Load()-now.UnixNano()))
}
