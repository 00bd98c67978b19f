// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package remote_test

const raceDetector = false // It multiplies what memory is taken.
