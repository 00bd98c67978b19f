// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// A part that is taken between Next and Refuse does not change whom Refuse is about.
func TestRefuseAfterPart(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
	b := p.Begin(p.ctx, 10)
	b.Next()
	b.Part(3).End()
	b.Refuse(fanout.Full)
	b.Part(2).End()
	b.Refuse(fanout.Full)
	assert.Equal(t, fanout.Delivery{Size: 5, Refused: 1, Sampled: 1}, b.End())
	_, attrs := p.one("deliver chat")
	assert.Equal(t, "refused_full", attrs[keys.LateReason])
}

// What is done with a broadcast that has ended is no part of it, and does not end its span
// before its parts have ended.
func TestAfterEnd(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
	b := p.Begin(p.ctx, 10)
	before := b.Part(3)
	require.True(t, b.Next().Sampled())
	b.End()
	assert.False(t, b.Next().Sampled())
	after := b.Part(3)
	assert.False(t, after.Next().Sampled())
	after.Refuse(fanout.Full)
	assert.Equal(t, fanout.Delivery{Refused: 1}, after.End())
	spans, _ := p.spans("broadcast chat")
	assert.Empty(t, spans, "there is another part")
	before.Next()
	before.End()
	_, attrs := p.one("broadcast chat")
	assert.EqualValues(t, 10, attrs[keys.FanoutSize])
	assert.EqualValues(t, 2, attrs[keys.FanoutDelivered])
	assert.EqualValues(t, 0, attrs[keys.FanoutRefused])
	assert.Equal(t, fanout.Stats{
		Broadcasts: 3, Delivered: 2, Refused: 1, Sampled: 2, Unreached: 8, Unplanned: 1,
	}, p.Stats())
}

// A broadcast that nobody has begun reaches nobody.
func TestZeroBroadcast(t *testing.T) {
	var b fanout.Broadcast
	for _, b := range []*fanout.Broadcast{&b, b.Part(3)} {
		assert.Nil(t, b.Next())
		b.Refuse(fanout.Full)
		assert.Equal(t, context.Background(), b.Context())
		assert.Equal(t, context.Background(), b.NextContext())
		assert.Zero(t, b.End().Sampled)
	}
}

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
