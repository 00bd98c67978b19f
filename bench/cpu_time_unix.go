// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is a clock: how much time of processors this program has taken, garbage collection
// included.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // It cannot fail for the program itself.
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
