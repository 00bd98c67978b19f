// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package clock writes points in time as one number: nanoseconds since the program
// began, by the monotonic clock. A mailbox keeps the time of sending of each message
// in that form.
package clock

import "time"

// epoch is the point in time that all readings count from.
var epoch = time.Now()

// Now returns the present reading. It is never 0, which callers use for "no time", but
// it may be negative: simulated clocks begin in the past.
func Now() int64 {
	if reading := int64(time.Since(epoch)); reading != 0 {
		return reading
	}
	return 1
}

// Reading returns the reading at t.
func Reading(t time.Time) int64 { return int64(t.Sub(epoch)) }

// Time returns when the clock showed that reading. Wall clock and monotonic clock are
// those of the present, moved back.
func Time(reading int64) time.Time {
	present := time.Now()
	return present.Add(time.Duration(reading - Reading(present)))
}
