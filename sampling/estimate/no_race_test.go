// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package estimate_test

// raceDetector says whether these tests run under it.
const raceDetector = false
