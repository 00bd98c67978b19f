// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"runtime/metrics"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/clock"
)

// Tick is how often the monitor looks, and so about how long a process waits
// behind handlers that block. The runtime sleeps for whole milliseconds: a timer
// that is due a little earlier goes off after one, where a timer of a whole one
// would often need two.
const Tick = 750 * time.Microsecond

// longTurn is after how many ticks a worker that has not moved makes room for
// another although all processors are busy.
const longTurn = 10

const (
	// burstGrowth is how much more workers are let in from tick to tick while
	// those let in before have got stuck too.
	burstGrowth = 64
	// maxAdmitted bounds how many are let in at one tick.
	maxAdmitted = 1024
)

// watchLocked starts the monitor, which runs as long as workers get on or
// processes wait for them: to keep the clock going, and to let more workers in if
// those that there are have got stuck in handlers, as the Go runtime does with
// threads in system calls.
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
		spare := load.spare(s.procs) // Before the lock, at which workers would wait.
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
		case <-s.notify: // Not for the next one.
		default:
		}
		return nil, false
	}
	retired := 0
	for _, w := range stuck {
		// With all processors busy it may just be computing, and one more would
		// only take turns with it. But then it has had a long turn.
		if spare > 0 || w.stuck >= longTurn {
			s.retireLocked(w)
			retired++
		}
	}
	// Where handlers block, those that wait will probably block as well: letting
	// in one for one would free only a few at a tick.
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
		admitted = append(admitted, s.letInLocked(s.queue.pop())) // It takes from the others if need be.
	}
	return admitted, true
}

// stuckLocked returns the workers that count and have not moved since the last
// tick.
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

// position tells how far the worker has come: with a new chunk, as far as the
// first process, where it is at the next tick if it gets stuck at once. The
// scheduler's lock must be held.
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

// spare returns how many of procs processors have nothing to run, the caller's
// goroutine not counted.
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
