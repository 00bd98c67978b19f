// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package scheduler runs what can be run, a little at a time, on as few goroutines as
// keep the processors busy. It knows nothing of mailboxes: only that a [Runnable] may
// block, panic, or end its goroutine, and must not hold up the others.
//
// A [Scheduler] hands chunks of runnables to workers (scheduler.go, chunk.go); the
// monitor lets more workers in while some are blocked (monitor.go), and keeps the clock
// that senders read (clock.go). Who has many to schedule at once collects them in a
// [Wakeup] (wakeup.go).
package scheduler
