// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package broadcast_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
)

func TestBroadcastIsASpanThatSaysWhatBecameOfIt(t *testing.T) {
	result := broadcast.Result{Size: 8, Sampled: 2, Delivered: 7, Refused: 1, Method: "uniform"}
	shed := result
	shed.Shed = true
	relays := result
	relays.Relays, relays.Budget = true, 40
	for _, test := range []struct {
		name   string
		result broadcast.Result
		want   map[attribute.Key]any
	}{
		{"sampled", result, map[attribute.Key]any{keys.FanoutMethod: "uniform"}},
		{"shed", shed, map[attribute.Key]any{keys.FanoutMethod: "uniform", keys.FanoutShed: true}},
		{"relays", relays, map[attribute.Key]any{keys.FanoutMethod: "uniform", keys.FanoutBudget: int64(40)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record()
			_, b := r.start(inTrace(), false)
			b.Describe(test.result)
			b.End()
			span, attrs := r.one(t)
			assert.Equal(t, "broadcast all", span.Name)
			assert.Equal(t, trace.SpanKindProducer, span.SpanKind)
			assert.Equal(t, sender.SpanID(), span.Parent.SpanID())
			want := map[attribute.Key]any{
				keys.FanoutSize: int64(8), keys.FanoutSampled: int64(2),
				keys.FanoutDelivered: int64(7), keys.FanoutRefused: int64(1),
			}
			maps.Copy(want, test.want)
			assert.Equal(t, want, attrs)
		})
	}
}

// A broadcast below another says what it stands for itself.
func TestBroadcastBelowABroadcast(t *testing.T) {
	r := record()
	above := fanout.Fanout{}.Below(4, 8)
	ctx := trace.ContextWithSpanContext(t.Context(), sender.WithTraceState(above.AddTo(sender.TraceState())))
	_, b := r.start(ctx, false)
	assert.Equal(t, above, b.Above)
	b.End()
	_, attrs := r.one(t)
	assert.InDelta(t, 4, attrs[keys.FanoutWeight], 0)
	assert.EqualValues(t, 1, attrs[keys.FanoutDepth])
}

func TestHeadersOfRecipients(t *testing.T) {
	f := fanout.Fanout{}.Below(4, 8)
	for _, linked := range []bool{false, true} {
		ctx, b := record().start(inTrace(), linked)
		span := trace.SpanContextFromContext(ctx)
		h := b.Sampled(f)
		assert.True(t, h.Sampled())
		assert.True(t, h.SampledByFanout())
		assert.Equal(t, linked, h.Linked())
		assert.Equal(t, span.SpanID(), h.SpanContext().SpanID())
		assert.Equal(t, f, fanout.FromTraceState(h.SpanContext().TraceState()))
		reporting, silent := b.Skipped(false)
		assert.Nil(t, silent)
		assert.False(t, reporting.SpanContext().IsValid())
		assert.Equal(t, span.SpanID(), reporting.Skipped().SpanID())
		reporting, silent = b.Skipped(true)
		for _, h := range []any{reporting.SpanContext(), silent.SpanContext()} {
			assert.True(t, h.(trace.SpanContext).IsValid())
			assert.False(t, h.(trace.SpanContext).IsSampled())
		}
		assert.True(t, reporting.Skipped().IsValid())
		assert.False(t, silent.Skipped().IsValid())
		b.End()
	}
}
