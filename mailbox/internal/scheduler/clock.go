// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/clock"
)

// coarseClock keeps a reading of package clock. To read that costs a load while it is
// kept up to date: by the monitor at every Tick, and by broadcasts and workers on
// their way, for the monitor comes late when all processors are busy. While nobody
// does, the exact time is read, which costs some 25 ns.
type coarseClock struct {
	_ [64]byte // Senders read what follows all the time.

	coarse atomic.Int64  // 0 while nobody keeps it up to date
	exact  atomic.Uint32 // how often the exact time was read

	_ [64 - 12]byte
}

// exactPerTick is after how many exact readings the clock is kept going, for
// at least one tick.
const exactPerTick = 64

// clockStep is how far the coarse time lags before somebody on his way sets it:
// to write it takes it away from all who read it.
const clockStep = 100 * time.Microsecond

// Now returns the time as a reading of package clock, within a tick if the processors
// are not all busy.
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

// advanceLocked sets the clock if it is kept going, for those who are on their
// way with c: with much at once, or it would cost too much, unless it is to be
// seen which handlings are slow.
func (s *Scheduler) advanceLocked(c *chunk) {
	if !s.watching || !s.precise && c.rest() < chunkSize/2 {
		return
	}
	if now := clock.Now(); now-s.clock.coarse.Load() > int64(clockStep) {
		s.clock.coarse.Store(now)
	}
}
