// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import "sync/atomic"

// Stats counts what became of a fan-out's broadcasts that have ended.
type Stats struct {
	Broadcasts uint64 // parts included
	Delivered  uint64 // recipients that did not refuse
	Refused    uint64 // recipients that refused
	Sampled    uint64 // recipients that were sampled, refused ones included
	Unreached  uint64 // recipients that Begin was told of and Next was never asked for
	Unplanned  uint64 // recipients beyond those that Begin was told of
	Late       uint64 // late spans that were made
	LateShed   uint64 // late spans that were not made because there were too many
}

type counts struct {
	broadcasts, delivered, refused, sampled, unreached, unplanned, late, lateShed atomic.Uint64
}

// add counts a broadcast that was asked for so many recipients.
func (c *counts) add(d Delivery, asked int) {
	c.broadcasts.Add(1)
	addTo(&c.delivered, d.Delivered)
	addTo(&c.refused, d.Refused)
	addTo(&c.sampled, d.Sampled)
	addTo(&c.unreached, d.Size-asked)
	addTo(&c.unplanned, asked-d.Size)
}

func addTo(count *atomic.Uint64, n int) {
	if n > 0 {
		count.Add(uint64(n))
	}
}

// Stats returns what f has counted until now. Any number of goroutines may call it.
func (f *Fanout) Stats() Stats {
	c := &f.counts
	return Stats{
		Broadcasts: c.broadcasts.Load(), Delivered: c.delivered.Load(), Refused: c.refused.Load(),
		Sampled: c.sampled.Load(), Unreached: c.unreached.Load(), Unplanned: c.unplanned.Load(),
		Late: c.late.Load(), LateShed: c.lateShed.Load(),
	}
}
