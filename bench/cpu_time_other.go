// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import "time"

// cpuTime is the time of the clock on the wall, because only Unix tells that of the processors.
func cpuTime() time.Duration { return wallTime() }
