// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"

	"github.com/waybill-go/waybill/internal/traces"
)

// SetKeptForReport changes how much is kept for reports, until the test ends.
func SetKeptForReport(t *testing.T, keep traces.Config) {
	t.Helper()
	before := keptForReport
	keptForReport = keep
	t.Cleanup(func() { keptForReport = before })
}
