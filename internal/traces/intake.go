// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const (
	// window is how long spans are counted before the share of traces is set again, and
	// saving is for how long spans that were not taken may be taken later.
	window = 100 * time.Millisecond
	saving = time.Second
	// leastShare is the least share of traces that is taken.
	leastShare = 1.0 / (1 << 16)
	// tolerance is by which factor the share should change for it to change at all, because
	// each change cuts traces.
	tolerance = 1.25
)

// intake takes a share of the traces if spans come too fast. It is a share of the IDs, so a
// trace is taken or dropped as a whole, unless the share changes meanwhile.
type intake struct {
	limit   atomic.Uint64 // traces whose hash is above it are dropped
	dropped [stripes]stripe

	// What follows is guarded by the lock of the store.

	perSecond float64 // spans that should be taken; no limit if negative
	share     float64 // of the traces
	before    uint64  // limit in the window before
	changes   uint32  // how often spans began to be dropped, or others to be taken
	saved     float64 // spans that may be taken above perSecond; negative if too many were
	taken     float64 // spans in this window
	begun     time.Time
	armed     bool // there is a timer
}

// stripe counts dropped spans. Each is on a cache line of its own.
type stripe struct {
	n atomic.Uint64
	_ [56]byte
}

const stripes = 8

func (in *intake) init(perSecond int) {
	in.perSecond, in.share, in.before = float64(perSecond), 1, math.MaxUint64
	in.limit.Store(math.MaxUint64)
}

// takes reports whether the spans of a trace are taken. If not, one is counted as dropped.
func (in *intake) takes(id trace.TraceID) bool {
	hash := hashOf(id)
	if hash <= in.limit.Load() {
		return true
	}
	in.dropped[hash%stripes].n.Add(1)
	return false
}

// hashOf returns the same for all spans of a trace. It does not rely on parts of the ID that
// are random, because not all tracers make IDs the same way.
func hashOf(id trace.TraceID) uint64 {
	const odd = 0x9E3779B97F4A7C15 // 2 to the power of 64, divided by the golden ratio
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	high, low = bits.Mul64(high^odd, low^bits.RotateLeft64(odd, 32))
	return high ^ low
}

// droppedSpans returns how many spans were dropped.
func (in *intake) droppedSpans() uint64 {
	var sum uint64
	for i := range in.dropped {
		sum += in.dropped[i].n.Load()
	}
	return sum
}

// count counts spans that were taken, and changes the share of the traces if they are too
// many or too few. tick is called after a while if not all are taken.
func (in *intake) count(taken int, tick func()) {
	if in.perSecond < 0 {
		return
	}
	in.taken += float64(taken)
	now := time.Now()
	elapsed := now.Sub(in.begun)
	if elapsed >= window || in.saved-in.taken < -in.perSecond*window.Seconds() {
		most := in.perSecond * saving.Seconds()
		in.saved = max(min(in.saved+in.perSecond*elapsed.Seconds(), most)-in.taken, -most)
		rate := in.taken / max(elapsed, time.Millisecond).Seconds()
		share := in.share * (in.perSecond + in.saved/saving.Seconds()) / max(rate, 1)
		if in.saved > most/10 {
			share = max(share, in.share)
		}
		in.set(share)
		in.taken, in.begun = 0, now
	}
	if in.share < 1 && !in.armed {
		in.armed = true
		time.AfterFunc(window, tick)
	}
}

// set sets the share of traces that are taken.
func (in *intake) set(share float64) {
	in.before = in.limit.Load()
	share = min(max(share, leastShare), 1)
	if share == in.share || share < 1 && share < in.share*tolerance && share*tolerance > in.share {
		return
	}
	in.share = share
	in.changes++
	limit := uint64(math.MaxUint64)
	if share < 1 {
		limit = uint64(share * (1 << 64))
	}
	in.limit.Store(limit)
}

// mayBeCut reports whether spans of a trace that begins now may have been dropped.
func (in *intake) mayBeCut(id trace.TraceID) bool { return hashOf(id) > in.before }
