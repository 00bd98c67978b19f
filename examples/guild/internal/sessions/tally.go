// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"sync"
)

// Tally checks that every session gets every message of its guild exactly once
// and in order, and counts.
type Tally struct {
	mu     sync.Mutex
	counts Counts
	wanted int64         // deliveries waited for
	enough chan struct{} // closed when there are so many
}

// Counts is what a [Tally] has seen.
type Counts struct {
	Delivered int64 // messages that sessions got
	Missed    int64 // messages that were skipped over by a later one
	Repeated  int64 // messages that came again, or too late
}

// Track follows one session.
type Track struct {
	tally    *Tally
	last     int64
	first    int64 // zero until there is one
	answered bool
}

// subscribed says that the session was promised all messages after number
// last. The first of them may have come already.
func (t *Track) subscribed(last int64) {
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	t.answered = true
	if t.first == 0 {
		t.last = last
		return
	}
	t.tally.counts.Missed += t.first - last - 1
}

// got takes note of message number seq.
func (t *Track) got(seq int64) {
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	c := &t.tally.counts
	c.Delivered++
	switch {
	case t.first == 0 && !t.answered:
		t.last = seq
	case seq <= t.last:
		c.Repeated++
	default:
		c.Missed += seq - t.last - 1
		t.last = seq
	}
	if t.first == 0 {
		t.first = seq
	}
	if t.tally.enough != nil && c.Delivered >= t.tally.wanted {
		close(t.tally.enough)
		t.tally.enough = nil
	}
}

// Counts returns what has been seen so far.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// WaitFor blocks until there have been n deliveries or ctx ends. There may be
// one waiter at a time.
func (t *Tally) WaitFor(ctx context.Context, n int64) error {
	t.mu.Lock()
	if t.counts.Delivered >= n {
		t.mu.Unlock()
		return nil
	}
	enough := make(chan struct{})
	t.wanted, t.enough = n, enough
	t.mu.Unlock()
	select {
	case <-enough:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
