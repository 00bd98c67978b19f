// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
)

// coarseClock holds a reading of package clock. While it is kept up to date, a reader
// needs one atomic load. The monitor updates it at every Tick. Broadcasts and workers
// update it as well, because the monitor is late when all processors are busy. While
// nobody updates it, readers read the exact time, which takes about 25 ns.
type coarseClock struct {
	_ [64]byte // So that the fields below, which senders read all the time, have a cache line of their own.

	coarse atomic.Int64  // 0 while nobody updates it
	exact  atomic.Uint32 // how often the exact time was read

	_ [64 - 12]byte
}

// exactPerTick is the number of exact readings after which the clock is kept up to date
// for at least one tick.
const exactPerTick = 64

// clockStep is how far the coarse time may lag before a broadcast or a worker updates
// it. They do not update it more often, because a write takes the cache line away from
// all readers.
const clockStep = 100 * time.Microsecond

// Now returns the time as a reading of package clock. It is right within a tick if not
// all processors are busy.
func (s *Scheduler) Now() int64 {
	if now := s.clock.coarse.Load(); now != 0 {
		return now
	}
	if s.clock.exact.Add(1)%exactPerTick == 0 {
		s.mu.Lock()
		s.watchLocked()
		s.mu.Unlock()
	}
	return clock.Now()
}

// Exact returns the exact time as a reading of package clock. If the clock that Now reads
// is kept up to date, and lags, Exact updates it.
func (s *Scheduler) Exact() int64 {
	now := clock.Now()
	if coarse := s.clock.coarse.Load(); coarse != 0 && now-coarse > int64(clockStep) {
		s.clock.coarse.CompareAndSwap(coarse, now) // Unless nobody keeps it up to date any more.
	}
	return now
}

// advanceLocked updates the clock if it is kept up to date and c is at least half full.
// With fewer processes that would cost too much. A precise clock is updated in any
// case.
func (s *Scheduler) advanceLocked(c *chunk) {
	if !s.watching || !s.precise && c.rest() < chunkSize/2 {
		return
	}
	if now := clock.Now(); now-s.clock.coarse.Load() > int64(clockStep) {
		s.clock.coarse.Store(now)
	}
}
