// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import "time"

var (
	firstMoment = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	lastMoment  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// moment returns t in UTC, or the nearest time that has a form in JSON. A span may say any.
func moment(t time.Time) time.Time {
	t = t.UTC()
	switch {
	case t.Before(firstMoment):
		return firstMoment
	case t.After(lastMoment):
		return lastMoment
	default:
		return t
	}
}
