// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package scheduler runs runnables, a little at a time, on as few goroutines as keep
// the processors busy. It knows nothing of mailboxes. It knows only that a [Runnable]
// may block, panic, or end its goroutine, and must not hold up the others.
//
// A [Scheduler] passes chunks of runnables to workers (scheduler.go, chunk.go). While
// some workers are blocked, the monitor lets more workers in (monitor.go). It also sets
// the clock that senders read (clock.go). A caller that schedules many runnables at
// once collects them in a [Wakeup] (wakeup.go).
package scheduler
