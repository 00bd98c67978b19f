// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import "sync"

// pending has the spans that were added and are not in their traces yet. They are bounded in
// number and size.
type pending struct {
	most      int // spans
	mostBytes int

	mu      sync.Mutex
	entries []entry
	bytes   int
	dropped int // since the last batch was taken
}

const (
	// batch is how many spans are put into their traces at a time. That is faster than one by
	// one, because the processor's caches hold what is needed for all of them.
	batch = 64
	// pendingBytes is how large a span is, in the mean, if as many are pending as may be.
	pendingBytes = 1024
)

func newPending(bytes int) pending {
	return pending{most: max(bytes/pendingBytes, 2*batch), mostBytes: bytes}
}

// add adds e, unless there are too many, and reports whether it is the first, and whether there
// are enough for a batch. One span may always be added, whatever its size.
func (p *pending) add(e *entry) (first, enough bool) {
	p.mu.Lock()
	n, bytes := len(p.entries)+1, p.bytes+e.size
	if n > p.most || n > 1 && bytes > p.mostBytes {
		p.dropped++
		p.mu.Unlock()
		return false, true
	}
	p.entries = append(p.entries, *e)
	p.bytes = bytes
	p.mu.Unlock()
	return n == 1, n >= batch || bytes > p.mostBytes/2
}

// take returns what is pending, and how many spans were dropped because they were too many. In
// its place comes empty, which nobody else uses.
func (p *pending) take(empty []entry) (entries []entry, dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries, dropped = p.entries, p.dropped
	p.entries, p.bytes, p.dropped = empty, 0, 0
	return entries, dropped
}
