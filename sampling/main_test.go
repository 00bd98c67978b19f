// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cellsOf returns what our packages have of a control.
func cellsOf(c *sampling.Control) *live.Control[sampling.KindConfig, sampling.GroupConfig] {
	return (*live.Control[sampling.KindConfig, sampling.GroupConfig])(c)
}
