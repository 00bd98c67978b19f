// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/clock"
)

func TestReadingsAreTimes(t *testing.T) {
	at := time.Now().Add(-time.Hour)
	assert.WithinDuration(t, at, clock.Time(clock.Reading(at)), time.Millisecond)
	before := clock.Now()
	time.Sleep(time.Microsecond)
	assert.Greater(t, clock.Now(), before)
}

// A simulated clock stands before the program began, and its readings are as good.
func TestReadingsOfASimulatedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := clock.Now()
		assert.Negative(t, before)
		time.Sleep(time.Hour)
		assert.Equal(t, int64(time.Hour), clock.Now()-before)
		assert.Equal(t, time.Now().Add(-time.Hour), clock.Time(before))
	})
}
