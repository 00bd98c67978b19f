// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"

	"github.com/waybill-go/waybill/examples/internal/record"
)

// SetKeptForReport changes how much is kept for reports, until the test ends.
func SetKeptForReport(t *testing.T, limits record.Limits) {
	t.Helper()
	before := keptForReport
	keptForReport = limits
	t.Cleanup(func() { keptForReport = before })
}
