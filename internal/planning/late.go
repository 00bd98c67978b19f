// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math"

	"github.com/waybill-go/waybill/sampling"
)

// LatePerSecond returns how many late spans there may be per second, +Inf if there is no
// limit.
func LatePerSecond(l *sampling.Late) float64 {
	const usual = 10
	switch {
	case l.PerSecond == 0:
		return usual
	case l.PerSecond < 0:
		return math.Inf(1)
	default:
		return l.PerSecond
	}
}
