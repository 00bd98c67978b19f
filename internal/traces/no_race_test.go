// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package traces_test

// raceDetector is true if the race detector is on. It slows tests down and allocates.
const raceDetector = false
