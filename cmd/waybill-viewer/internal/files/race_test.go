// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package files_test

// raceDetector says whether these tests run under it. It makes them ten times slower.
const raceDetector = true
