// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

// Wakeup collects processes that are scheduled together.
type Wakeup struct {
	s *Scheduler
	c *chunk
}

// Add collects r, which s is to run.
func (w *Wakeup) Add(s *Scheduler, r Runnable) {
	if w.s != s {
		w.Flush()
		w.s, w.c = s, s.exchange(nil, true)
	}
	w.c.add(r)
	if w.c.full() {
		w.c = s.exchange(w.c, true)
	}
}

// Flush schedules what has been collected.
func (w *Wakeup) Flush() {
	if w.s != nil {
		w.s.exchange(w.c, false)
		w.s, w.c = nil, nil
	}
}

// exchange queues the processes of c, which may be nil, and returns an empty
// chunk if one is wanted.
func (s *Scheduler) exchange(c *chunk, want bool) (empty *chunk) {
	s.mu.Lock()
	var w *worker
	switch {
	case c == nil:
	case c.n == 0:
		s.queue.put(c)
	default:
		s.advanceLocked(c)
		s.queue.pushChunk(c)
		w = s.wakeLocked()
	}
	if want {
		empty = s.queue.get()
	}
	s.mu.Unlock()
	w.start()
	return empty
}
