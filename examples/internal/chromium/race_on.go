// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package chromium

const raceDetector = true
