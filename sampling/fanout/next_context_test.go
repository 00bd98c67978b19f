// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// Whether a recipient is sampled or not, a transport that writes headers from a context gets
// the whole story: a sampled context, or an unsampled one of the same trace.
func TestNextContext(t *testing.T) {
	p := start(t, fanout.WithSampling(sampling.GroupConfig{MaxSpans: 3}))
	b := p.Begin(envelopetest.WithBaggage(t, p.ctx, "acme"), 10)
	defer b.End()
	sampled := 0
	for range 10 {
		ctx := b.NextContext()
		sc := trace.SpanContextFromContext(ctx)
		assert.Equal(t, trace.SpanContextFromContext(b.Context()).TraceID(), sc.TraceID())
		assert.Equal(t, "customer=acme", baggage.FromContext(ctx).String())
		if sc.IsSampled() {
			sampled++
			assert.Contains(t, sc.TraceState().String(), "waybill=")
		}
	}
	assert.Equal(t, 3, sampled)
}

// Headers cannot say that a trace is to be linked, so it is continued, with all of its state.
func TestNextContextContinuesLinkedTraces(t *testing.T) {
	p := start(t, fanout.WithLinkedRoots())
	b := p.Begin(envelopetest.WithTraceState(t, t.Context(), trace.FlagsSampled, "vendor=1"), 1)
	defer b.End()
	sc := trace.SpanContextFromContext(b.NextContext())
	assert.Equal(t, trace.SpanContextFromContext(b.Context()).SpanID(), sc.SpanID())
	assert.Equal(t, "1", sc.TraceState().Get("vendor"))
	assert.NotEmpty(t, sc.TraceState().Get("waybill"))
}

// If nobody is planned to be sampled, nobody gets a sampled context.
func TestNextContextWhereNobodyIsSampled(t *testing.T) {
	control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{Untraced: true}})
	require.NoError(t, err)
	for name, opt := range map[string]fanout.Option{
		"an untraced kind":  fanout.WithControl(control),
		"a broken provider": fanout.WithTracerProvider(broken{}),
	} {
		f, err := fanout.New("chat", opt)
		require.NoError(t, err)
		sender := envelopetest.SampledContext(t)
		b := f.Begin(sender, 3)
		for range 3 {
			sc := trace.SpanContextFromContext(b.NextContext())
			assert.Equal(t, trace.SpanContextFromContext(sender).TraceID(), sc.TraceID(), name)
			assert.False(t, sc.IsSampled(), name)
		}
		b.End()
	}
	assert.NotNil(t, new(fanout.Broadcast).NextContext(), "nobody has begun it")
}

// The carry policy holds for the contexts of recipients too.
func TestNextContextLeavesBaggageBehind(t *testing.T) {
	p := start(t, fanout.WithCarryPolicy(envelope.CarryPolicy{DropUnsampledBaggage: true}))
	for name, sender := range envelopetest.Senders(t) {
		b := p.Begin(envelopetest.WithBaggage(t, sender, "acme"), 1)
		ctx := b.NextContext()
		assert.Equal(t, name == "sampled", baggage.FromContext(ctx).Len() > 0, name)
		assert.Equal(t, trace.SpanContextFromContext(b.Context()).TraceID(), trace.SpanContextFromContext(ctx).TraceID(), name)
		b.End()
	}
}
