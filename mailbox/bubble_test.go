// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test whose clock stands still while anything can run, and
// jumps to the next timer when nothing can.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// settle returns when every other goroutine of the bubble waits for something.
func settle() { synctest.Wait() }

// stopwatch returns a function that tells how long ago it was made, in the
// bubble's time.
func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
