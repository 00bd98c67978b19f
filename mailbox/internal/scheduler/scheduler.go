// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Scheduler runs the processes of a system that have something to handle: as
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
// took 1 % of the time of broadcasts to 10 and 2 % of those to 10,000. The queue is used by Schedule,
// exchange, refill, requeue and Yield, so it could be split, one for each processor
// with stealing among them, without anybody else's notice. Behind it come the
// system's lock, which spawning takes, and a broadcast's loop, which is one
// goroutine however many processors there are.
type Scheduler struct {
	procs int // workers that run without blocking
	clock coarseClock
	// precise keeps the clock close to the time although the monitor is late.
	precise bool
	// queued mirrors queue.len for those who only want to know whether to go on.
	queued atomic.Int32

	mu        sync.Mutex
	queue     chunkQueue
	workers   []*worker // those that count against procs
	parked    []*worker
	watching  bool          // the monitor runs
	releasing bool          // parked workers will be looked at
	parkings  int           // how often a worker has left
	burst     int           // workers that the monitor last let in at a tick
	closed    bool          // workers leave when there is nothing to do
	notify    chan struct{} // holds one; has the monitor look, for it may leave
}

// worker is a goroutine that runs processes.
type worker struct {
	s     *Scheduler
	wake  chan struct{} // holds one
	chunk *chunk        // written under the scheduler's lock
	turns atomic.Uint32 // counts turns beyond the first of one process

	// Guarded by the scheduler's lock.
	place   int // in workers
	fresh   bool
	retired bool // counts no more against procs
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

// New makes a scheduler with no workers. With precise its clock is kept close to the
// time although the monitor is late.
func New(precise bool) *Scheduler {
	return &Scheduler{
		precise: precise,
		procs:   runtime.GOMAXPROCS(0),
		notify:  make(chan struct{}, 1),
	}
}

// Schedule queues one process.
func (s *Scheduler) Schedule(r Runnable) {
	s.mu.Lock()
	s.queue.push(r)
	w := s.wakeLocked()
	s.mu.Unlock()
	w.start()
}

// wakeLocked returns a worker to be started outside the lock, with something
// to do if anything is queued. It returns nil if there are enough already; then
// the monitor looks whether they get on.
func (s *Scheduler) wakeLocked() *worker {
	if len(s.workers) >= s.procs {
		s.watchLocked()
		s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
		return nil
	}
	return s.letInLocked(s.queue.pop())
}

// letInLocked makes a worker active that begins with c.
func (s *Scheduler) letInLocked(c *chunk) *worker {
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
func (s *Scheduler) countLocked(w *worker) {
	w.retired = false
	w.place = len(s.workers)
	s.workers = append(s.workers, w)
}

// discountLocked has w count no more.
func (s *Scheduler) discountLocked(w *worker) {
	last := len(s.workers) - 1
	moved := s.workers[last]
	s.workers[w.place], moved.place = moved, w.place
	s.workers[last] = nil
	s.workers = s.workers[:last]
}

// giveLocked hands c to w. What is behind its first process might have to wait
// for that one, so the monitor looks.
func (s *Scheduler) giveLocked(w *worker, c *chunk) {
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
	var r Runnable
	over := false
	defer func() {
		if !over { // A handler ended the goroutine: another one goes on from here.
			if r != nil {
				w.s.Schedule(r)
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
		for r.Turn() {
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
func (s *Scheduler) requeue(r Runnable) {
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
		another = s.wakeLocked()
	}
	s.mu.Unlock()
	another.start()
	return true
}

// nextLocked finds something to do for w, unless w is one too many: then, and
// if there is nothing, it returns nil.
func (s *Scheduler) nextLocked(w *worker) *chunk {
	switch {
	case !w.retired && len(s.workers) > s.procs, w.retired && len(s.workers) >= s.procs:
		if s.queue.len > 0 {
			s.watchLocked() // Those who stay may be stuck.
		}
		return nil
	case w.retired:
		s.countLocked(w)
	}
	if c := s.queue.pop(); c != nil {
		return c
	}
	return s.stealLocked(w)
}

// stealLocked takes what another worker has not begun: half of it for w, the
// other half for the queue, where its worker finds it again.
func (s *Scheduler) stealLocked(thief *worker) *chunk {
	for _, w := range s.workers {
		if w == thief || w.chunk.rest() == 0 {
			continue
		}
		c := s.queue.get()
		mine := false
		w.chunk.reclaim(func(r Runnable) {
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
func (s *Scheduler) leaveLocked(w *worker) (parked bool) {
	if !w.retired {
		s.discountLocked(w)
	}
	s.queue.put(w.chunk)
	w.chunk = nil
	if s.closed {
		s.notifyLocked()
		return false
	}
	if parked = len(s.parked) < s.procs; parked {
		s.parked = append(s.parked, w)
	}
	s.parkings++
	if !s.releasing {
		s.releasing = true
		now := s.parkings
		time.AfterFunc(parkedFor, func() { s.releaseParked(now) })
	}
	return parked
}

// parkedFor is how long workers stay parked at least while nothing happens.
const parkedFor = 100 * time.Millisecond

// releaseParked lets the parked workers go if there has been nothing to do since the
// parkings-th time that a worker left. An idle system holds no goroutine.
func (s *Scheduler) releaseParked(parkings int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.workers) > 0: // The next to leave sees to it.
		s.releasing = false
	case s.parkings != parkings:
		now := s.parkings
		time.AfterFunc(parkedFor, func() { s.releaseParked(now) })
	default:
		s.releasing = false
		s.dismissLocked()
	}
}

func (s *Scheduler) dismissLocked() {
	for i, w := range s.parked {
		w.gone = true
		w.wake <- struct{}{}
		s.parked[i] = nil
	}
	s.parked = s.parked[:0]
	s.queue.forget()
}

// Close lets all workers go as soon as they have nothing to do.
func (s *Scheduler) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.notifyLocked()
	s.dismissLocked()
}

// notifyLocked has the monitor look now, if it runs.
func (s *Scheduler) notifyLocked() {
	if !s.watching {
		return
	}
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

// Yield takes r's worker out of the count: its handler is about to wait for
// something, once and for as long as this handler runs. What the worker has not
// begun goes to others.
func (s *Scheduler) Yield(r Runnable) {
	s.mu.Lock()
	var another *worker
	for _, w := range s.workers {
		if w.chunk.current() != r {
			continue
		}
		s.retireLocked(w)
		if s.queue.len > 0 {
			another = s.wakeLocked()
		}
		break
	}
	s.mu.Unlock()
	another.start()
}

// retireLocked takes w out of the count until its handler returns.
func (s *Scheduler) retireLocked(w *worker) {
	s.discountLocked(w)
	w.retired = true
	w.chunk.reclaim(s.queue.push)
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
}

// Waiting returns how many processes wait for a worker, and in how many chunks.
func (s *Scheduler) Waiting() (processes, chunks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.queue.head; c != nil; c = c.next {
		chunks++
	}
	return s.queue.len, chunks
}
