// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package traces keeps the last traces in memory, within a number of bytes, so that they
// can be shown:
//
//	store := traces.New(traces.Config{})
//	store.Add(span) // whenever a span has ended
//	found, more := store.Find(traces.Filter{AtLeast: 50 * time.Millisecond})
//	trace, ok := store.Trace(found[0].ID)
//
// To make room, the store forgets whole traces: those that have gone longest without a new
// span. Half of the bytes are reserved for traces that failed, that have late spans, or that
// took longer than most traces whose root has the same name. So these stay longer than the
// others, and none of the three reasons can take the room of the other two.
//
// A trace that is too large loses the spans that are too many. [Summary] says how many spans were
// left out, whether the root is missing, and whether spans may have been dropped because they
// came too fast.
//
// All methods may be called from any number of goroutines. None blocks for longer than
// another one works, and [Store.Add] waits for no reader. No span is changed. No goroutine
// stays, but while spans come too fast, a timer sets the share of the traces that are taken.
package traces
