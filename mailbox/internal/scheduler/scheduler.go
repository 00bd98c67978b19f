// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Scheduler runs the processes of a system that have something to handle. It runs as
// many at a time as there are processors, each on a worker, and more while handlers
// block (monitor.go). One lock guards everything. It is taken once for each chunk on
// the way to a process.
//
// On many cores that lock would be the first limit. To queue a chunk of 32 processes
// and pass it to a worker, the lock is held for about 150 ns. That is 5 ns for each
// process, and an untraced message of a broadcast takes 35 to 45 ns in all. So with
// handlers that take no time, about ten processors would use up the lock, and with
// handlers of a microsecond, about two hundred. Calls schedule one process at a time,
// which takes about 75 ns, or 13 million in a second. On two processors that did
// nothing else, waiting for the lock took 1 % of the time of broadcasts to 10, and 2 %
// of broadcasts to 10,000. Nothing outside this package knows the queue. It could be
// split, with one queue for each processor and stealing between them,
// without a change elsewhere. The next limits are the system's lock, which spawning
// takes, and the loop of a broadcast, which is one goroutine on any number of
// processors.
type Scheduler struct {
	procs int // workers that run without blocking
	clock coarseClock
	// precise keeps the clock right even when the monitor is late.
	precise bool
	// queued mirrors queue.len, for readers without the lock.
	queued atomic.Int32

	mu        sync.Mutex
	queue     chunkQueue
	workers   []*worker // those that count against procs
	parked    []*worker
	watching  bool          // set while the monitor runs
	releasing bool          // set while a release of parked workers is due
	blocked   int           // workers that do not count against procs until their handlers return
	parkings  int           // how often a worker has left
	burst     int           // how many workers the monitor has let in at the last tick
	closed    bool          // workers leave when there is nothing to do
	notify    chan struct{} // holds one; makes the monitor look, because it may end
}

// worker is a goroutine that runs processes.
type worker struct {
	s     *Scheduler
	wake  chan struct{} // holds one
	chunk *chunk        // written under the scheduler's lock
	turns atomic.Uint32 // counts turns beyond the first of one process

	chance Chance // of its goroutine

	// Guarded by the scheduler's lock.
	place   int // in workers
	fresh   bool
	retired bool // no longer counts against procs
	gone    bool // was released while parked
	seen    position
	stuck   int // ticks since it was seen to move
}

// position is how far a worker has come.
type position struct {
	chunk   *chunk
	claimed int32
	turns   uint32
}

// New makes a scheduler with no workers. If precise is set, its clock is right even
// when the monitor is late.
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

// wakeLocked returns a worker that the caller must start after it has released the
// lock. If anything is queued, the worker has something to do. If there are enough
// workers, wakeLocked returns nil, and the monitor watches whether they make progress.
func (s *Scheduler) wakeLocked() *worker {
	if len(s.workers) >= s.procs {
		s.watchLocked()
		s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
		return nil
	}
	return s.letInLocked(s.queue.pop())
}

// letInLocked returns an active worker that begins with c.
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

// countLocked counts w against procs.
func (s *Scheduler) countLocked(w *worker) {
	w.retired = false
	w.place = len(s.workers)
	s.workers = append(s.workers, w)
}

// discountLocked no longer counts w against procs.
func (s *Scheduler) discountLocked(w *worker) {
	last := len(s.workers) - 1
	moved := s.workers[last]
	s.workers[w.place], moved.place = moved, w.place
	s.workers[last] = nil
	s.workers = s.workers[:last]
}

// giveLocked gives c to w. The other processes in c may have to wait for the first one,
// so the monitor watches.
func (s *Scheduler) giveLocked(w *worker, c *chunk) {
	s.queue.put(w.chunk)
	w.chunk = c
	w.seen, w.stuck = w.position(), 0
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
	if c.rest() > 1 {
		s.watchLocked()
	}
}

// start starts a worker that was let in. It does nothing if w is nil.
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
		if !over { // A handler has ended the goroutine. Another one goes on from here.
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
		for r.Turn(&w.chance) {
			if w.s.queued.Load() > 0 || w.chunk.rest() > 0 {
				w.s.requeue(r)
				break
			}
			w.turns.Add(1)
		}
	}
}

// requeue puts a process whose turn is over behind all others. Its worker will look for
// the next process, so no other worker must be woken.
func (s *Scheduler) requeue(r Runnable) {
	s.mu.Lock()
	s.queue.push(r)
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
	s.mu.Unlock()
}

// refill gets something to do for the worker, and waits until there is something. It
// reports false if the worker must leave.
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

// nextLocked finds something to do for w. It returns nil if there is nothing, or if
// there are too many workers.
func (s *Scheduler) nextLocked(w *worker) *chunk {
	switch {
	case !w.retired && len(s.workers) > s.procs, w.retired && len(s.workers) >= s.procs:
		if s.queue.len > 0 {
			s.watchLocked() // The other workers may be stuck.
		}
		return nil
	case w.retired:
		s.blocked--
		s.countLocked(w)
	}
	if c := s.queue.pop(); c != nil {
		return c
	}
	return s.stealLocked(w)
}

// stealLocked takes the processes that another worker has not begun. Half of them are
// for the thief. The other half goes to the queue, where the other worker finds it
// again.
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
		s.queue.put(c) // The other worker was faster.
	}
	return nil
}

// leaveLocked removes w from the workers, and reports whether it is parked for later
// use.
func (s *Scheduler) leaveLocked(w *worker) (parked bool) {
	if w.retired {
		s.blocked--
	} else {
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

// parkedFor is the least time for which workers stay parked while nothing happens.
const parkedFor = 100 * time.Millisecond

// releaseParked releases the parked workers if no worker has left since the number of
// leavings was parkings. So an idle system has no goroutine.
func (s *Scheduler) releaseParked(parkings int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.workers) > 0: // The next worker that leaves calls it again.
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

// Close releases all workers as soon as they have nothing to do.
func (s *Scheduler) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.notifyLocked()
	s.dismissLocked()
}

// notifyLocked makes the monitor look now, if it runs.
func (s *Scheduler) notifyLocked() {
	if !s.watching {
		return
	}
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

// Yield no longer counts r's worker until r's handler returns. The handler calls it
// because it will wait for something. The processes that the worker has not begun go to
// other workers.
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

// retireLocked no longer counts w until its handler returns.
func (s *Scheduler) retireLocked(w *worker) {
	s.discountLocked(w)
	w.retired = true
	s.blocked++
	w.chunk.reclaim(s.queue.push)
	s.queued.Store(int32(s.queue.len)) //nolint:gosec // Bounded by memory.
}

// Waiting returns how many processes no worker has been given, and in how many chunks.
func (s *Scheduler) Waiting() (processes, chunks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.queue.head; c != nil; c = c.next {
		chunks++
	}
	return s.queue.len, chunks
}

// Load is how much a scheduler has to do.
type Load struct {
	Running  int // workers that count against the number of processors
	Blocked  int // workers beside them, whose handlers have waited or computed for long
	Runnable int // processes that wait for their turn
}

// Load returns how much the scheduler has to do now.
func (s *Scheduler) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Load{Running: len(s.workers), Blocked: s.blocked, Runnable: s.queue.len}
	for _, w := range s.workers {
		l.Runnable += w.chunk.rest()
	}
	return l
}
