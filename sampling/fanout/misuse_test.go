// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// A size that no fan-out has is the largest that one may have.
func TestHugeFanout(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{MaxSpans: 1}))
	b := p.Begin(p.ctx, math.MaxInt)
	b.Part(1).End()
	assert.Equal(t, fanout.Delivery{Size: math.MaxInt32 - 1}, b.End())
	seldom, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 1e-7})
	require.NoError(t, err)
	p = start(t, fanout.WithSampling(sampling.GroupConfig{Curve: seldom}))
	b = p.Begin(p.ctx, math.MaxInt)
	assert.NotPanics(t, func() { b.Next() })
	b.End()
}
