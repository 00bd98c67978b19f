// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"runtime/metrics"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
)

// Tick is the time between two looks of the monitor, and so about the time that a
// process waits behind handlers that block. The runtime sleeps for whole milliseconds.
// A timer of a little less than a millisecond fires after one, but a timer of a whole
// millisecond often needs two.
const Tick = 750 * time.Microsecond

// longTurn is the number of ticks after which a worker that has not moved makes room
// for another one, even if all processors are busy.
const longTurn = 10

const (
	// burstGrowth is the factor by which more workers are let in at each tick, while
	// the workers let in before are stuck too.
	burstGrowth = 64
	// maxAdmitted bounds how many workers are let in at one tick.
	maxAdmitted = 1024
)

// watchLocked starts the monitor. The monitor runs as long as workers make progress or
// processes wait for them. It updates the clock. If workers are stuck in handlers, it
// lets more workers in, as the Go runtime does with threads in system calls.
func (s *Scheduler) watchLocked() {
	if s.watching {
		return
	}
	s.watching = true
	s.clock.coarse.Store(clock.Now())
	for _, w := range s.workers {
		w.seen, w.stuck = w.position(), 0
	}
	go s.watch()
}

func (s *Scheduler) watch() {
	load := newLoadMeter()
	timer := time.NewTimer(Tick)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.notify:
		}
		timer.Reset(Tick)
		spare := load.spare(s.procs) // Before the lock is taken, because workers would wait for it.
		admitted, again := s.look(spare)
		for _, w := range admitted {
			w.start()
		}
		if !again {
			return
		}
	}
}

// look is one tick of the monitor. It returns the workers to start, and whether
// to look again.
func (s *Scheduler) look(spare int) (admitted []*worker, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.coarse.Store(clock.Now())
	waiting := s.queue.len
	for _, w := range s.workers {
		waiting += w.chunk.rest()
	}
	stuck := s.stuckLocked()
	if waiting == 0 && len(s.workers) <= s.procs && len(stuck) == len(s.workers) {
		s.watching, s.burst = false, 0
		s.clock.coarse.Store(0)
		select {
		case <-s.notify: // Drop a notification, which is not for the next monitor.
		default:
		}
		return nil, false
	}
	retired := 0
	for _, w := range stuck {
		// If all processors are busy, the worker may be computing. Another one would
		// only take turns with it, so it may do that for a long turn.
		if spare > 0 || w.stuck >= longTurn {
			s.retireLocked(w)
			retired++
		}
	}
	// If handlers block, the handlers of waiting processes will probably block too.
	// With one new worker for each stuck one, only a few processes would run at each
	// tick.
	switch {
	case retired == 0:
	case spare > 0:
		s.burst = min(burstGrowth*max(s.burst, retired), maxAdmitted)
	default:
		s.burst = min(2*max(s.burst, retired), maxAdmitted) //nolint:mnd // Slower.
	}
	for n := 0; retired > 0 && n < s.burst && s.queue.len > 0; n++ {
		admitted = append(admitted, s.letInLocked(s.queue.popOne()))
	}
	if spare > 0 && len(s.workers) < s.procs {
		admitted = append(admitted, s.letInLocked(s.queue.pop())) // Without a chunk, the worker steals from the others.
	}
	return admitted, true
}

// stuckLocked returns the counted workers that have not moved since the last tick.
func (s *Scheduler) stuckLocked() (stuck []*worker) {
	for _, w := range s.workers {
		if now := w.position(); now != w.seen {
			w.seen, w.stuck = now, 0
			continue
		}
		w.stuck++
		stuck = append(stuck, w)
	}
	return stuck
}

// position returns how far the worker has come. A worker with a new chunk counts as
// being at the first process, because it will be there at the next tick if it gets
// stuck at once. The scheduler's lock must be held.
func (w *worker) position() position {
	p := position{chunk: w.chunk, turns: w.turns.Load()}
	if w.chunk != nil {
		p.claimed = max(w.chunk.claimed.Load(), 1)
	}
	return p
}

// loadMeter reads how busy the processors are.
type loadMeter struct{ samples [2]metrics.Sample }

func newLoadMeter() *loadMeter {
	l := &loadMeter{}
	l.samples[0].Name = "/sched/goroutines/running:goroutines"
	l.samples[1].Name = "/sched/goroutines/runnable:goroutines"
	return l
}

// spare returns how many of procs processors have nothing to run. It does not count the
// caller's goroutine.
func (l *loadMeter) spare(procs int) int {
	metrics.Read(l.samples[:])
	busy := -1
	for _, s := range l.samples {
		if s.Value.Kind() == metrics.KindUint64 {
			busy += int(s.Value.Uint64()) //nolint:gosec // A number of goroutines.
		}
	}
	return procs - busy
}
