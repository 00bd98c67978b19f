// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func TestRefusedRecipientsAreToldOf(t *testing.T) {
	p := start(t)
	b := p.Begin(p.ctx, 100)
	b.Refuse(fanout.Full) // Nobody yet.
	for i := range 100 {
		h := b.Next()
		if i%2 == 0 {
			b.Refuse(fanout.Full)
			b.Refuse(fanout.Stopped) // Twice is once.
		} else {
			p.handle(h)
		}
	}
	d := b.End()
	assert.Equal(t, fanout.Delivery{Size: 100, Delivered: 50, Refused: 50, Sampled: 10}, d)
	_, attrs := p.one("broadcast chat")
	assert.EqualValues(t, 50, attrs[keys.FanoutRefused])
	late, of := p.spans("deliver chat")
	handled, _ := p.spans("show")
	assert.Len(t, handled, 10-len(late))
	for _, attrs := range of {
		assert.Equal(t, "refused_full", attrs[keys.LateReason])
		assert.InDelta(t, 10, attrs[keys.FanoutWeight], 1e-9)
	}
	refused := p.estimates("deliver chat").Refused.Count()
	assert.InDelta(t, 10*float64(len(late)), refused.Value, 1e-6)
	assert.EqualValues(t, len(late), p.Stats().Late)
}

// Skipped recipients may speak up as well: uncounted, and not too many.
func TestSkippedAndRefused(t *testing.T) {
	p := follow(t, sampling.Config{
		Kinds:  map[string]sampling.KindConfig{"chat": {Late: sampling.Late{Failures: true, PerSecond: 3}}},
		Groups: map[string]sampling.GroupConfig{"chat": {MaxSpans: 1}},
	})
	b := p.Begin(p.ctx, 100)
	for range 100 {
		b.Next()
		b.Refuse("away")
	}
	b.End()
	_, of := p.spans("deliver chat")
	weights := make(map[any]int)
	for _, attrs := range of {
		assert.Equal(t, "refused_away", attrs[keys.LateReason])
		weights[attrs[keys.FanoutWeight]]++
	}
	assert.Equal(t, 1, weights[100.0])
	assert.GreaterOrEqual(t, weights[0.0], 3)
	assert.EqualValues(t, 99-weights[0.0], p.Stats().LateShed)
	assert.InDelta(t, 100, p.estimates("deliver chat").Refused.Count().Value, 1e-6)
}

// So may those that lose a message, and messages of unsampled traces.
func TestSkippedAndDropped(t *testing.T) {
	for _, late := range []sampling.Late{{}, {Failures: true}, {Failures: true, Roots: true}} {
		p := follow(t, sampling.Config{
			Default: sampling.KindConfig{Late: late},
			Groups:  map[string]sampling.GroupConfig{"chat": {MaxSpans: 1}},
		})
		b := p.Begin(p.ctx, 2)
		for range 2 {
			p.Drop(b.Next(), fanout.Dropped)
		}
		b.End()
		p.Drop(nil, fanout.Dropped)
		spans, of := p.spans("deliver chat")
		var weights, here int
		for i, attrs := range of {
			assert.Equal(t, "dead_letter_dropped", attrs[keys.LateReason])
			if attrs[keys.FanoutWeight] != 0.0 {
				weights++
			}
			if spans[i].SpanContext().TraceID() == envelopetest.SpanContext(1).TraceID() {
				here++
			}
		}
		assert.Equal(t, 1, weights)
		want := map[sampling.Late][2]int{{}: {1, 1}, {Failures: true}: {2, 2}, {Failures: true, Roots: true}: {3, 2}}[late]
		assert.Equal(t, want, [2]int{len(spans), here})
		assert.EqualValues(t, 3, p.Stats().Dropped)
	}
}

// A kind without traces has no late spans in them either.
func TestRefusedByAnUntracedKind(t *testing.T) {
	for _, roots := range []bool{false, true} {
		p := follow(t, sampling.Config{Default: sampling.KindConfig{
			Untraced: true, Late: sampling.Late{Failures: true, Roots: roots},
		}})
		b := p.Begin(p.ctx, 1)
		b.Next()
		b.Refuse(fanout.Full)
		b.End()
		spans, _ := p.spans("deliver chat")
		if !roots {
			assert.Empty(t, spans)
			continue
		}
		require.Len(t, spans, 1)
		assert.NotEqual(t, envelopetest.SpanContext(1).TraceID(), spans[0].SpanContext().TraceID())
	}
}

// A refusal in an unsampled trace is a trace of its own, on request.
func TestRefusedInAnUnsampledTrace(t *testing.T) {
	for _, roots := range []bool{false, true} {
		p := follow(t, sampling.Config{Default: sampling.KindConfig{Late: sampling.Late{Failures: true, Roots: roots}}})
		for _, ctx := range []context.Context{t.Context(), envelopetest.UnsampledContext(t)} {
			b := p.Begin(ctx, 1)
			b.Next()
			b.Refuse(fanout.Full)
			b.End()
		}
		spans, _ := p.spans("deliver chat")
		if !roots {
			assert.Empty(t, spans)
			continue
		}
		require.Len(t, spans, 2)
		assert.Empty(t, spans[0].Links())
		require.Len(t, spans[1].Links(), 1)
		assert.Equal(t, envelopetest.SpanContext(0).TraceID(), spans[1].Links()[0].SpanContext.TraceID())
		assert.False(t, spans[1].Parent().IsValid())
	}
}
