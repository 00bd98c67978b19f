// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	// patience is how long a test waits for what must happen, on a machine that is busy.
	patience = 30 * time.Second
	// poll is how long a test waits between two looks.
	poll = 10 * time.Millisecond
)

// TestMain runs the tests, or one of their programs: see launch.
func TestMain(m *testing.M) {
	if text := os.Getenv(programEnv); text != "" {
		if err := runProgram(text); err != nil {
			fmt.Fprintln(os.Stderr, "program:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// long returns how often something is done: often if WAYBILL_LONG is set.
func long(t *testing.T, short, often int) int {
	t.Helper()
	if os.Getenv("WAYBILL_LONG") != "" {
		return often
	}
	t.Logf("%d of %d; WAYBILL_LONG=1 does them all", short, often)
	return short
}
