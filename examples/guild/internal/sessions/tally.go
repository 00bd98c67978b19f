// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"fmt"
	"sync"
)

// Tally checks that each of many sessions gets every message of its guild exactly once
// and in order, and counts.
type Tally struct {
	mu     sync.Mutex
	counts Counts
}

// Counts is what a [Tally] has seen.
type Counts struct {
	Delivered int64 // messages that sessions got
	CaughtUp  int64 // those of them that came from the history
	Gone      int64 // messages that sessions were told are no longer stored
	Behind    int64 // sessions that ended because their client could not keep up
	Missed    int64 // messages that were skipped over by a later one
	Repeated  int64 // messages that came again, or too late
}

// Plus returns the sum of both.
func (c Counts) Plus(o Counts) Counts {
	return Counts{
		Delivered: c.Delivered + o.Delivered, CaughtUp: c.CaughtUp + o.CaughtUp, Gone: c.Gone + o.Gone,
		Behind: c.Behind + o.Behind, Missed: c.Missed + o.Missed, Repeated: c.Repeated + o.Repeated,
	}
}

// Err says what went wrong, if anything did.
func (c Counts) Err() error {
	if c.Missed+c.Repeated == 0 {
		return nil
	}
	return fmt.Errorf("of %d messages, %d were missed, and %d came again or too late", c.Delivered, c.Missed, c.Repeated)
}

// Track follows one session. It is for one goroutine at a time.
type Track struct {
	tally *Tally
	last  int64
}

// Track begins to follow a session that is to get all messages after number last,
// and was told of gone ones before that.
func (t *Tally) Track(last, gone int64) *Track {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Gone += gone
	return &Track{tally: t, last: last}
}

// Behind takes note of a session that ends because its client cannot keep up, and
// returns how many did.
func (t *Tally) Behind() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Behind++
	return t.counts.Behind
}

// Got takes note of message number seq.
func (t *Track) Got(seq int64) { t.got(seq, 0) }

// CaughtUp takes note of message number seq, from the history.
func (t *Track) CaughtUp(seq int64) { t.got(seq, 1) }

func (t *Track) got(seq, fromHistory int64) {
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	c := &t.tally.counts
	c.Delivered++
	c.CaughtUp += fromHistory
	if seq > t.last {
		c.Missed += seq - t.last - 1
		t.last = seq
	} else {
		c.Repeated++
	}
}

// Counts returns what has been seen so far.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}
