// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/mailbox"
)

// However low a rate is, it is a bound: the first may come, and no other soon.
func TestLowRatesOfLateSpansBound(t *testing.T) {
	for _, perSecond := range []float64{1, 1e-3, 1e-9, 1e-10, 1e-12, math.SmallestNonzeroFloat64} {
		assert.Equal(t, 1, mailbox.LateAllowed(100, perSecond), "%v per second", perSecond)
	}
	assert.Equal(t, 100, mailbox.LateAllowed(100, math.Inf(1)))
}
