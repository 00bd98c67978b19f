// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package reports bounds how often somebody is told of what goes wrong again and again.
package reports

import (
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/guard"
)

// every is the least time between two records of one thing.
const every = time.Second

// Report is what is told of one thing. The zero Report has told nothing. Any number of goroutines
// may use it.
type Report struct {
	count atomic.Uint64 // of what was not told
	busy  atomic.Bool   // a record is being written, or was within the last second
}

// Tell tells that the thing has happened so many times more. The first time write is called at once,
// on a goroutine of its own, so that a logger that blocks holds nobody up. If the thing happens again
// within a second, write is called after that second, with how often it did, and first is false: it
// is then the write of an earlier call. write may panic, or end its goroutine.
func (r *Report) Tell(times uint64, write func(count uint64, first bool)) {
	r.count.Add(times)
	if r.busy.CompareAndSwap(false, true) {
		go r.write(write, true)
	}
}

func (r *Report) write(write func(count uint64, first bool), first bool) {
	defer time.AfterFunc(every, func() { // Also if write ends the goroutine.
		r.busy.Store(false)
		if r.count.Load() > 0 && r.busy.CompareAndSwap(false, true) {
			r.write(write, false)
		}
	})
	guard.Do(func() { write(r.count.Swap(0), first) })
}
