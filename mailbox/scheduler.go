// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// scheduler runs the processes of a system that have something to handle: as
// many at a time as there are processors, each on a worker, and more while
// handlers block (monitor.go). One lock guards it all; on the way to a process
// it is taken once for each chunk.
//
// On many cores that lock would be the first limit. To queue a chunk of 32 and
// hand it to a worker holds it for some 150 ns, 5 ns a process, where an untraced
// message of a broadcast costs 35 to 45 ns in all: handlers that take no time
// would wear it out with about ten processors, those of a microsecond with two
// hundred. One process at a time, as calls come, takes about 75 ns, so that is
// 13 million in a second. On two processors that did nothing else, waiting for it
// took 1 % of the time of broadcasts to 10 and 2 % of those to 10,000. The doors to the queue are schedule,
// exchange, refill, requeue and yield, so it could be split, one for each processor
// with stealing among them, without anybody else's notice. Behind it come the
// system's lock, which spawning takes, and a broadcast's loop, which is one
// goroutine however many processors there are.
type scheduler struct {
	procs int // workers that run without blocking
	clock clock
	// exacting keeps the clock close to the time although the monitor is late.
	exacting bool
	// queued mirrors queue.len for those who only want to know whether to go on.
	queued atomic.Int32

	mu       sync.Mutex
	queue    chunkQueue
	workers  []*worker // those that count against procs
	parked   []*worker
	watching bool          // the monitor runs
	retiring bool          // parked workers will be looked at
	parkings int           // how often a worker has left
	surge    int           // workers that the monitor last let in at a tick
	closed   bool          // workers leave when there is nothing to do
	poke     chan struct{} // holds one; has the monitor look, for it may leave
}

// worker is a goroutine that runs processes.
type worker struct {
	s     *scheduler
	wake  chan struct{} // holds one
	chunk *chunk        // written under the scheduler's lock
	turns atomic.Uint32 // counts turns beyond the first of one process

	// Guarded by the scheduler's lock.
	place   int // in workers
	fresh   bool
	deposed bool // counts no more against procs
	gone    bool // was let go while parked
	seen    position
	stuck   int // ticks since it was seen to move
}

// position is how far a worker has come.
type position struct {
	chunk   *chunk
	claimed int32
	turns   uint32
}

func newScheduler() *scheduler {
	return &scheduler{
		procs: runtime.GOMAXPROCS(0),
		poke:  make(chan struct{}, 1),
	}
}

// schedule queues one process.
func (s *scheduler) schedule(r runnable) {
	s.mu.Lock()
	s.queue.push(r)
	w := s.summonLocked()
	s.mu.Unlock()
	w.start()
}

// summonLocked returns a worker to be started outside the lock, with something
// to do if anything is queued. It returns nil if there are enough already; then
// the monitor looks whether they get on.
func (s *scheduler) summonLocked() *worker {
	if len(s.workers) >= s.procs {
		s.watchLocked()
		s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
		return nil
	}
	return s.admitLocked(s.queue.pop())
}

// admitLocked makes a worker active that begins with c.
func (s *scheduler) admitLocked(c *chunk) *worker {
	var w *worker
	if n := len(s.parked); n > 0 {
		w = s.parked[n-1]
		s.parked[n-1] = nil
		s.parked = s.parked[:n-1]
	} else {
		w = &worker{s: s, wake: make(chan struct{}, 1), fresh: true}
	}
	s.countLocked(w)
	s.giveLocked(w, c)
	return w
}

// countLocked has w count against procs.
func (s *scheduler) countLocked(w *worker) {
	w.deposed = false
	w.place = len(s.workers)
	s.workers = append(s.workers, w)
}

// discountLocked has w count no more.
func (s *scheduler) discountLocked(w *worker) {
	last := len(s.workers) - 1
	moved := s.workers[last]
	s.workers[w.place], moved.place = moved, w.place
	s.workers[last] = nil
	s.workers = s.workers[:last]
}

// giveLocked hands c to w. What is behind its first process might have to wait
// for that one, so the monitor looks.
func (s *scheduler) giveLocked(w *worker, c *chunk) {
	s.queue.put(w.chunk)
	w.chunk = c
	w.seen, w.stuck = w.position(), 0
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
	if c.rest() > 1 {
		s.watchLocked()
	}
}

// start sets a worker going that was admitted. A nil one is nobody.
func (w *worker) start() {
	switch {
	case w == nil:
	case w.fresh:
		w.fresh = false
		go w.run()
	default:
		w.wake <- struct{}{}
	}
}

// run is the worker's goroutine.
func (w *worker) run() {
	var r runnable
	over := false
	defer func() {
		if !over { // A handler ended the goroutine: another one goes on from here.
			if r != nil {
				w.s.schedule(r)
			}
			go w.run()
		}
	}()
	for {
		if r = w.chunk.claim(); r == nil {
			if !w.refill() {
				over = true
				return
			}
			continue
		}
		for r.turn() {
			if w.s.queued.Load() > 0 || w.chunk.rest() > 0 {
				w.s.requeue(r)
				break
			}
			w.turns.Add(1)
		}
	}
}

// requeue puts a process that has had its turn behind all others. Its worker
// is about to look for the next, so nobody need be woken.
func (s *scheduler) requeue(r runnable) {
	s.mu.Lock()
	s.queue.push(r)
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
	s.mu.Unlock()
}

// refill gets the worker something to do, waiting for it if need be. It reports
// false if the worker is to leave.
func (w *worker) refill() bool {
	s := w.s
	s.mu.Lock()
	c := s.nextLocked(w)
	if c == nil {
		stay := s.leaveLocked(w)
		s.mu.Unlock()
		if stay {
			<-w.wake
		}
		return stay && !w.gone
	}
	s.giveLocked(w, c)
	s.advanceLocked(c)
	var another *worker
	if len(s.workers) < s.procs && (s.queue.len > 0 || c.rest() > 1) {
		another = s.summonLocked()
	}
	s.mu.Unlock()
	another.start()
	return true
}

// nextLocked finds something to do for w, unless w is one too many: then, and
// if there is nothing, it returns nil.
func (s *scheduler) nextLocked(w *worker) *chunk {
	switch {
	case !w.deposed && len(s.workers) > s.procs, w.deposed && len(s.workers) >= s.procs:
		if s.queue.len > 0 {
			s.watchLocked() // Those who stay may be stuck.
		}
		return nil
	case w.deposed:
		s.countLocked(w)
	}
	if c := s.queue.pop(); c != nil {
		return c
	}
	return s.stealLocked(w)
}

// stealLocked takes what another worker has not begun: half of it for w, the
// other half for the queue, where its worker finds it again.
func (s *scheduler) stealLocked(thief *worker) *chunk {
	for _, w := range s.workers {
		if w == thief || w.chunk.rest() == 0 {
			continue
		}
		c := s.queue.get()
		mine := false
		w.chunk.rescue(func(r runnable) {
			if mine = !mine; mine {
				c.add(r)
			} else {
				s.queue.push(r)
			}
		})
		if c.n > 0 {
			return c
		}
		s.queue.put(c) // The worker was faster.
	}
	return nil
}

// leaveLocked takes w out and reports whether it is parked, to be used again.
func (s *scheduler) leaveLocked(w *worker) (parked bool) {
	if !w.deposed {
		s.discountLocked(w)
	}
	s.queue.put(w.chunk)
	w.chunk = nil
	if s.closed {
		s.pokeLocked()
		return false
	}
	if parked = len(s.parked) < s.procs; parked {
		s.parked = append(s.parked, w)
	}
	s.parkings++
	if !s.retiring {
		s.retiring = true
		now := s.parkings
		time.AfterFunc(parkedFor, func() { s.retire(now) })
	}
	return parked
}

// parkedFor is how long workers stay parked at least while nothing happens.
const parkedFor = 100 * time.Millisecond

// retire lets the parked workers go if there has been nothing to do since the
// parkings-th time that a worker left. An idle system holds no goroutine.
func (s *scheduler) retire(parkings int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.workers) > 0: // The next to leave sees to it.
		s.retiring = false
	case s.parkings != parkings:
		now := s.parkings
		time.AfterFunc(parkedFor, func() { s.retire(now) })
	default:
		s.retiring = false
		s.dismissLocked()
	}
}

func (s *scheduler) dismissLocked() {
	for i, w := range s.parked {
		w.gone = true
		w.wake <- struct{}{}
		s.parked[i] = nil
	}
	s.parked = s.parked[:0]
	s.queue.forget()
}

// close lets all workers go as soon as they have nothing to do.
func (s *scheduler) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.pokeLocked()
	s.dismissLocked()
}

// pokeLocked has the monitor look now, if it runs.
func (s *scheduler) pokeLocked() {
	if !s.watching {
		return
	}
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// yield takes r's worker out of the count: its handler is about to wait for
// something, once and for as long as this handler runs. What the worker has not
// begun goes to others.
func (s *scheduler) yield(r runnable) {
	s.mu.Lock()
	var another *worker
	for _, w := range s.workers {
		if w.chunk.current() != r {
			continue
		}
		s.deposeLocked(w)
		if s.queue.len > 0 {
			another = s.summonLocked()
		}
		break
	}
	s.mu.Unlock()
	another.start()
}

// deposeLocked takes w out of the count until its handler returns.
func (s *scheduler) deposeLocked(w *worker) {
	s.discountLocked(w)
	w.deposed = true
	w.chunk.rescue(s.queue.push)
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
}
