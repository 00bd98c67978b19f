// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scheduler

import "sync/atomic"

// Runnable is a process that has something to handle, as the scheduler sees it.
type Runnable interface {
	// Turn handles some messages, and reports whether to call Turn again. When it
	// reports false, the process may already run on another worker. chance is the
	// worker's own.
	Turn(chance *Chance) (again bool)
}

// chunkSize is how many processes are handed to a worker at once.
const chunkSize = 32

// chunk is a batch of processes on its way to a worker. While it is filled, it belongs
// to whoever fills it. After that, its worker claims one process after another. Whoever
// holds the scheduler's lock may take away the processes that are not claimed.
type chunk struct {
	items     [chunkSize]Runnable
	n         int32        // items filled
	claimed   atomic.Int32 // items claimed, or more after the last
	reclaimed bool         // the rest was taken away, after begun items were claimed
	begun     int32
	next      *chunk // in a queue or the free list
}

func (c *chunk) add(r Runnable) {
	c.items[c.n] = r
	c.n++
}

func (c *chunk) full() bool { return c.n == chunkSize }

// claim takes the next item, nil if there is none. Only the chunk's worker calls it.
func (c *chunk) claim() Runnable {
	if c == nil {
		return nil
	}
	i := c.claimed.Add(1) - 1
	if i >= c.n {
		return nil
	}
	return c.items[i]
}

// rest returns how many items are not claimed yet.
func (c *chunk) rest() int {
	if c == nil {
		return 0
	}
	return int(max(c.n-c.claimed.Load(), 0))
}

// reclaim takes away all items that are not claimed yet, and passes each to take.
func (c *chunk) reclaim(take func(Runnable)) {
	if c.rest() == 0 {
		return
	}
	begun := min(c.claimed.Swap(c.n), c.n)
	if begun == c.n {
		return
	}
	c.reclaimed, c.begun = true, begun
	for i := begun; i < c.n; i++ {
		take(c.items[i])
		c.items[i] = nil // Clear it now, because its worker may be blocked for long.
	}
}

// current returns the item that was claimed last.
func (c *chunk) current() Runnable {
	if c == nil {
		return nil
	}
	begun := min(c.claimed.Load(), c.n)
	if c.reclaimed {
		begun = c.begun
	}
	if begun == 0 {
		return nil
	}
	return c.items[begun-1]
}

// chunkQueue is a first-in first-out queue of processes, with a list of free chunks.
type chunkQueue struct {
	head, tail *chunk
	len        int // processes
	free       *chunk
	freed      int
}

// maxFree bounds the number of free chunks. It is enough for a hundred thousand
// processes at once.
const maxFree = 4096

func (q *chunkQueue) push(r Runnable) {
	if q.tail == nil || q.tail.full() {
		q.pushChunk(q.get())
	}
	q.tail.add(r)
	q.len++
}

func (q *chunkQueue) pushChunk(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	q.len += int(c.n)
}

// pop takes the oldest chunk, nil if there is none.
func (q *chunkQueue) pop() *chunk {
	c := q.head
	if c == nil {
		return nil
	}
	q.head, c.next = c.next, nil
	if q.head == nil {
		q.tail = nil
	}
	q.len -= int(c.n)
	return c
}

// popOne takes the oldest process in a chunk of its own.
func (q *chunkQueue) popOne() *chunk {
	c := q.pop()
	if c == nil || c.n == 1 {
		return c
	}
	one := q.get()
	one.add(c.items[0])
	copy(c.items[:], c.items[1:c.n])
	c.n--
	c.items[c.n] = nil
	if c.next = q.head; c.next == nil {
		q.tail = c
	}
	q.head = c
	q.len += int(c.n)
	return one
}

// get returns an empty chunk.
func (q *chunkQueue) get() *chunk {
	c := q.free
	if c == nil {
		return &chunk{}
	}
	q.free, c.next = c.next, nil
	q.freed--
	return c
}

// forget drops the free chunks.
func (q *chunkQueue) forget() { q.free, q.freed = nil, 0 }

// put adds a chunk that nobody uses to the free ones.
func (q *chunkQueue) put(c *chunk) {
	if c == nil || q.freed >= maxFree {
		return
	}
	clear(c.items[:c.n])
	c.n, c.reclaimed = 0, false
	c.claimed.Store(0)
	c.next, q.free = q.free, c
	q.freed++
}
