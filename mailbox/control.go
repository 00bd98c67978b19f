// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/sampling"
)

// liveControl is a [sampling.Control] with the cells that kinds and groups have of it.
type liveControl = live.Control[sampling.KindConfig, sampling.GroupConfig]

// defaultControl is that of systems which were given none.
func defaultControl() *liveControl {
	return new(liveControl)
}
