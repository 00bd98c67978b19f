// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package wire_test

// raceDetector says whether these tests run under it. It has pools forget at
// random, so that allocations cannot be counted.
const raceDetector = false
