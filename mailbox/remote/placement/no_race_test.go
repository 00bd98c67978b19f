// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package placement_test

const raceDetector = false // It multiplies what memory is taken.
