// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"sync/atomic"
	"time"
)

// epoch is when clocks begin.
var epoch = time.Now()

// clock tells the time since epoch. To read it costs a load while it is kept
// going: by the monitor at every Tick, and by broadcasts and workers on their
// way, for the monitor comes late when all processors are busy. While nobody
// keeps it going it is read exactly, which costs some 25 ns.
type clock struct {
	_ [64]byte // Senders read what follows all the time.

	coarse atomic.Int64  // ns since epoch; 0 while nobody keeps it going
	exact  atomic.Uint32 // how often it was read exactly

	_ [64 - 12]byte
}

// exactPerTick is after how many exact readings the clock is kept going, for
// at least one tick.
const exactPerTick = 64

// clockStep is how far the coarse time lags before somebody on his way sets it:
// to write it takes it away from all who read it.
const clockStep = 100 * time.Microsecond

// Exactly returns the exact time. It is never 0, but may be below: simulated
// clocks begin in the past.
func Exactly() int64 {
	if now := int64(time.Since(epoch)); now != 0 {
		return now
	}
	return 1
}

// Now returns the time, within a tick if the processors are not all busy.
func (s *Scheduler) Now() int64 {
	if now := s.clock.coarse.Load(); now != 0 {
		return now
	}
	if s.clock.exact.Add(1)%exactPerTick == 0 {
		s.mu.Lock()
		s.watchLocked()
		s.mu.Unlock()
	}
	return Exactly()
}

// advanceLocked sets the clock if it is kept going, for those who are on their
// way with c: with much at once, or it would cost too much, unless it is to be
// seen which handlings are slow.
func (s *Scheduler) advanceLocked(c *chunk) {
	if !s.watching || !s.precise && c.rest() < chunkSize/2 {
		return
	}
	if now := Exactly(); now-s.clock.coarse.Load() > int64(clockStep) {
		s.clock.coarse.Store(now)
	}
}

// SinceEpoch returns what clocks show at t.
func SinceEpoch(t time.Time) int64 { return int64(t.Sub(epoch)) }

// TimeOf returns when clocks showed that. Wall clock and monotonic reading are
// those of the present, moved back.
func TimeOf(reading int64) time.Time {
	now := time.Now()
	return now.Add(time.Duration(reading - SinceEpoch(now)))
}
