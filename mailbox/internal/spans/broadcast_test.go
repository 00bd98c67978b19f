// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

func TestBroadcastIsASpanThatSaysWhatBecameOfIt(t *testing.T) {
	result := spans.Result{Size: 8, Sampled: 2, Delivered: 7, Refused: 1, Method: "uniform"}
	all := result
	all.Sampled = 8
	shed := result
	shed.Shed = true
	relays := result
	relays.Relays, relays.Budget = true, 40
	for _, test := range []struct {
		name   string
		result spans.Result
		want   map[any]any
	}{
		{"sampled", result, map[any]any{keys.FanoutMethod: "uniform"}},
		{"all sampled", all, map[any]any{keys.FanoutMethod: "all", keys.FanoutSampled: int64(8)}},
		{"shed", shed, map[any]any{keys.FanoutMethod: "uniform", keys.FanoutShed: true}},
		{"relays", relays, map[any]any{keys.FanoutMethod: "uniform", keys.FanoutBudget: int64(40)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t, spans.ChainLimit{})
			_, b := r.StartBroadcast(inTrace(), "broadcast all", header.CarryPolicy{}, false)
			b.Describe(test.result)
			b.End()
			span := r.one()
			assert.Equal(t, "broadcast all", span.Name)
			assert.Equal(t, trace.SpanKindProducer, span.SpanKind)
			assert.Equal(t, sender.SpanID(), span.Parent.SpanID())
			want := map[any]any{
				keys.FanoutSize: int64(8), keys.FanoutSampled: int64(2),
				keys.FanoutDelivered: int64(7), keys.FanoutRefused: int64(1),
			}
			maps.Copy(want, test.want)
			assert.Equal(t, want, anyKeys(attributes(span)))
		})
	}
}

// A broadcast below another says what it stands for itself.
func TestBroadcastBelowABroadcast(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	above := fanout.Fanout{}.Below(4, 8)
	ctx := trace.ContextWithSpanContext(t.Context(), sender.WithTraceState(above.AddTo(sender.TraceState())))
	_, b := r.StartBroadcast(ctx, "broadcast all", header.CarryPolicy{}, false)
	assert.Equal(t, above, b.Above)
	b.End()
	attrs := attributes(r.one())
	assert.InDelta(t, 4, attrs[keys.FanoutWeight], 0)
	assert.EqualValues(t, 1, attrs[keys.FanoutDepth])
}

func TestHeadersOfRecipients(t *testing.T) {
	f := fanout.Fanout{}.Below(4, 8)
	for _, linked := range []bool{false, true} {
		r := record(t, spans.ChainLimit{})
		ctx, b := r.StartBroadcast(inTrace(), "broadcast all", header.CarryPolicy{}, linked)
		span := trace.SpanContextFromContext(ctx)
		for name, h := range map[string]*header.Header{"own": b.Sampled(f), "shared": b.SampledByAll(f)} {
			assert.True(t, h.Sampled(), name)
			assert.True(t, h.SampledByFanout(), name)
			assert.Equal(t, linked, h.Linked(), name)
			assert.Equal(t, span.SpanID(), h.SpanContext().SpanID(), name)
			assert.Equal(t, f, fanout.FromTraceState(h.SpanContext().TraceState()), name)
		}
		reporting, silent := b.Skipped(false)
		assert.Nil(t, silent)
		assert.False(t, reporting.SpanContext().IsValid())
		assert.Equal(t, span.SpanID(), reporting.Skipped().SpanID())
		reporting, silent = b.Skipped(true)
		for _, h := range []*header.Header{reporting, silent} {
			assert.True(t, h.SpanContext().IsValid())
			assert.False(t, h.Sampled())
		}
		assert.True(t, reporting.Skipped().IsValid())
		assert.False(t, silent.Skipped().IsValid())
		b.End()
	}
}

// What a shared header stands for is known although another has taken its place.
func TestSharedHeadersStandForTheSameThatTheySay(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	_, b := r.StartBroadcast(inTrace(), "broadcast all", header.CarryPolicy{}, false)
	first, second := b.SampledByAll(fanout.Fanout{}.Below(4, 8)), b.SampledByAll(fanout.Fanout{}.Below(5, 10))
	b.End()
	r.ended.Reset()
	assert.InDelta(t, 4, attributes(r.handle(r.message(first), spans.Failure{}))[keys.FanoutWeight], 0)
	assert.InDelta(t, 5, attributes(r.handle(r.message(second), spans.Failure{}))[keys.FanoutWeight], 0)
}
