// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import "github.com/waybill-go/waybill/envelope"

// slot is a message in a mailbox.
type slot[M any] struct {
	message M
	header  *envelope.Header
	call    pending // nil for a send
	silent  bool    // no root may be started for it
}

// ring is a first-in first-out queue that grows by doubling. What was taken
// out of it is cleared, and an empty one gives back all but its smallest room.
type ring[M any] struct {
	slots []slot[M] // its length is zero or a power of two
	head  int
	len   int
}

const smallRing = 4

func (r *ring[M]) push(s slot[M]) {
	if r.len == len(r.slots) {
		r.grow()
	}
	r.slots[(r.head+r.len)&(len(r.slots)-1)] = s
	r.len++
}

func (r *ring[M]) grow() {
	bigger := make([]slot[M], max(smallRing, 2*len(r.slots)))
	n := copy(bigger, r.slots[r.head:])
	copy(bigger[n:], r.slots[:r.head])
	r.slots, r.head = bigger, 0
}

// pop takes the oldest slot out. The ring must not be empty.
func (r *ring[M]) pop() slot[M] {
	s := r.slots[r.head]
	r.slots[r.head] = slot[M]{}
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.len--
	return s
}

// trim gives back the room of an empty ring that had grown.
func (r *ring[M]) trim() {
	if r.len == 0 && len(r.slots) > smallRing {
		r.slots, r.head = nil, 0
	}
}

// drain takes everything out, oldest first.
func (r *ring[M]) drain() []slot[M] {
	all := make([]slot[M], 0, r.len)
	for r.len > 0 {
		all = append(all, r.pop())
	}
	r.slots, r.head = nil, 0
	return all
}
