// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"math/bits"
	"sync"

	"github.com/waybill-go/waybill/internal/header"
)

// slot is a message in a mailbox.
type slot[M any] struct {
	message M
	header  *header.Header
	call    *pending // nil for a send
	sent    int64    // by the system's clock
}

// clear forgets the message. It does not write the time of sending, which somebody else may
// be reading: see oldestLocked and inlineSent.
func (s *slot[M]) clear() {
	var none M
	s.message, s.header, s.call = none, nil, nil
}

// ring is a first-in first-out queue that grows fourfold when it is full. What
// was taken out of it is cleared.
type ring[M any] struct {
	slots []slot[M] // none, or smallRing times a power of ringGrowth
	block *[]slot[M]
	head  int
	len   int
}

const (
	smallRing   = 4 // slots
	ringGrowth  = 4 // times
	pooledRings = 5 // sizes that are pooled, from the smallest on
)

// ringPool keeps the room that rings have given back, for the next that grow.
type ringPool [pooledRings]sync.Pool

// pool returns the pool for rings of n slots, or nil if these are not pooled.
func (p *ringPool) pool(n int) *sync.Pool {
	class := (bits.Len(uint(n)) - bits.Len(smallRing)) / 2
	if n < smallRing || class >= len(p) {
		return nil
	}
	return &p[class]
}

func (r *ring[M]) push(s *slot[M], rooms *ringPool) {
	if r.len == len(r.slots) {
		r.grow(rooms)
	}
	r.slots[(r.head+r.len)&(len(r.slots)-1)] = *s
	r.len++
}

func (r *ring[M]) grow(rooms *ringPool) {
	size := max(smallRing, ringGrowth*len(r.slots))
	var block *[]slot[M]
	if pool := rooms.pool(size); pool != nil {
		block, _ = pool.Get().(*[]slot[M])
	}
	if block == nil {
		slots := make([]slot[M], size)
		block = &slots
	}
	n := copy(*block, r.slots[r.head:])
	copy((*block)[n:], r.slots[:r.head])
	clear(r.slots)
	if pool := rooms.pool(len(r.slots)); pool != nil {
		pool.Put(r.block)
	}
	r.slots, r.block, r.head = *block, block, 0
}

// pop moves the oldest slot to s. The ring must not be empty.
func (r *ring[M]) pop(s *slot[M]) {
	oldest := &r.slots[r.head]
	*s, *oldest = *oldest, slot[M]{}
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.len--
}

// trim gives back the room of an empty ring that had grown.
func (r *ring[M]) trim(rooms *ringPool) {
	if len(r.slots) > smallRing {
		r.release(rooms)
	}
}

func (r *ring[M]) release(rooms *ringPool) {
	if pool := rooms.pool(len(r.slots)); pool != nil {
		pool.Put(r.block)
	}
	*r = ring[M]{}
}

// skip takes the oldest slot out, to be used where it is until the next push.
// The ring must not be empty.
func (r *ring[M]) skip() *slot[M] {
	s := &r.slots[r.head]
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.len--
	return s
}

// drain takes everything out, oldest first, and appends it to dst.
func (r *ring[M]) drain(dst []slot[M]) []slot[M] {
	for r.len > 0 {
		dst = append(dst, slot[M]{})
		r.pop(&dst[len(dst)-1])
	}
	*r = ring[M]{}
	return dst
}
