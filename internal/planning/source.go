// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"math"
	"math/rand/v2"
)

// source is a random number generator; the runtime's needs no allocation and
// no lock.
type source struct {
	intN    func(int) int
	float64 func() float64
}

var runtimeSource = source{rand.IntN, rand.Float64}

// round returns x rounded down or up, at random so that its mean is x.
func (s source) round(x float64) int {
	whole, fraction := math.Modf(x)
	if fraction > 0 && s.float64() < fraction {
		whole++
	}
	return int(whole)
}
