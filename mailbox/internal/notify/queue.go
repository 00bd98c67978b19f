// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package notify passes items to a function without waiting for the function.
package notify

import (
	"context"
	"sync"

	"github.com/waybill-go/waybill/internal/guard"
)

// maxWaiting is how many items a queue holds.
const maxWaiting = 1024

// Queue passes items to a function, one at a time and in order, on a goroutine that
// exists only while there are items. If the function blocks, it holds up this queue and
// nothing else. If it panics or calls runtime.Goexit, that item is lost. Package guard
// reports the panic.
//
// Make one with [New]. It may be used by any number of goroutines.
type Queue[T any] struct {
	tell func(T)

	mu      sync.Mutex
	waiting []T
	running bool
	empty   chan struct{} // closed when running ends; nil if nobody waits for that
}

// New makes a queue for tell.
func New[T any](tell func(T)) *Queue[T] { return &Queue[T]{tell: tell} }

// Put queues item. It reports false, and does not queue it, if 1,024 items wait
// already. It does not block.
func (q *Queue[T]) Put(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxWaiting {
		return false
	}
	q.waiting = append(q.waiting, item)
	if !q.running {
		q.running = true
		go q.run()
	}
	return true
}

// run passes items to the function until there are none left.
func (q *Queue[T]) run() {
	finished := false
	defer func() {
		if !finished { // The function has ended the goroutine.
			go q.run()
		}
	}()
	for {
		item, ok := q.take()
		if !ok {
			finished = true
			return
		}
		guard.Do(func() { q.tell(item) })
	}
}

// take takes the next item. If there is none, the queue has stopped.
func (q *Queue[T]) take() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.waiting, q.running = nil, false
		if q.empty != nil {
			close(q.empty)
			q.empty = nil
		}
		return item, false
	}
	item, q.waiting[0] = q.waiting[0], item
	q.waiting = q.waiting[1:]
	return item, true
}

// Wait waits until the function has got all items. If ctx ends before, it returns the
// error of ctx.
func (q *Queue[T]) Wait(ctx context.Context) error {
	q.mu.Lock()
	if !q.running {
		q.mu.Unlock()
		return nil
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
