// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package clock writes a point in time as one number: the nanoseconds since the program
// began, by the monotonic clock. A mailbox keeps the time of sending of each message in
// that form.
package clock

import "time"

// epoch is the point in time that all readings count from.
var epoch = time.Now()

// Now returns the reading of the present. It is never 0, because callers use 0 for "no
// time". It may be negative, because simulated clocks begin in the past.
func Now() int64 {
	if reading := int64(time.Since(epoch)); reading != 0 {
		return reading
	}
	return 1
}

// Reading returns the reading at t.
func Reading(t time.Time) int64 { return int64(t.Sub(epoch)) }

// Time returns the time at which the clock showed that reading. It moves the wall clock
// and the monotonic clock of the present back by the same time.
func Time(reading int64) time.Time {
	present := time.Now()
	return present.Add(time.Duration(reading - Reading(present)))
}
