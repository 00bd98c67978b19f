// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

// wakeup collects processes to be scheduled together.
type wakeup struct {
	s *scheduler
	c *chunk
}

func (w *wakeup) add(s *scheduler, r runnable) {
	if w.s != s {
		w.flush()
		w.s, w.c = s, s.exchange(nil, true)
	}
	w.c.add(r)
	if w.c.full() {
		w.c = s.exchange(w.c, true)
	}
}

// flush schedules what has been collected.
func (w *wakeup) flush() {
	if w.s != nil {
		w.s.exchange(w.c, false)
		w.s, w.c = nil, nil
	}
}

// exchange queues the processes of c, which may be nil, and returns an empty
// chunk if one is wanted.
func (s *scheduler) exchange(c *chunk, want bool) (empty *chunk) {
	s.mu.Lock()
	var w *worker
	switch {
	case c == nil:
	case c.n == 0:
		s.queue.put(c)
	default:
		s.advanceLocked(c)
		s.queue.pushChunk(c)
		w = s.summonLocked()
	}
	if want {
		empty = s.queue.get()
	}
	s.mu.Unlock()
	w.start()
	return empty
}
