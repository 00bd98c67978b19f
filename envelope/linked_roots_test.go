// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// A recipient of a fan-out with linked roots starts a trace, whatever opens its envelope.
func TestLinkedRoots(t *testing.T) {
	ok := func(context.Context, string) error { return nil }
	for name, receive := range map[string]func(envelope.Envelope[string], ...envelope.ReceiveOption){
		"receive": func(e envelope.Envelope[string], opts ...envelope.ReceiveOption) {
			ch := make(chan envelope.Envelope[string], 1)
			ch <- e
			close(ch)
			for range envelope.Receive(t.Context(), ch, "show", opts...) {
			}
		},
		"handler": func(e envelope.Envelope[string], opts ...envelope.ReceiveOption) {
			require.NoError(t, envelope.Handler(t.Context(), "show", ok, opts...)(e))
		},
		"batch": func(e envelope.Envelope[string], opts ...envelope.ReceiveOption) {
			all := func(context.Context, []envelope.Envelope[string]) error { return nil }
			require.NoError(t, envelope.BatchHandler(t.Context(), "show", all, opts...)([]envelope.Envelope[string]{e}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Without the wrapper, the sampler would refuse the root.
			provider, recorder := envelopetest.NewProvider(t,
				sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.NeverSample()))))
			chat, err := fanout.New("chat", fanout.WithLinkedRoots(), fanout.WithTracerProvider(provider),
				fanout.WithSampling(sampling.GroupConfig{MaxSpans: 1}))
			require.NoError(t, err)
			b := chat.Begin(envelopetest.SampledContext(t), 5)
			for range 5 {
				receive(envelope.New("hello", b.Next()), envelope.WithTracerProvider(provider))
			}
			b.End()
			ended := recorder.Ended()
			require.Len(t, ended, 2)
			shown, broadcast := ended[0], ended[1]
			assert.False(t, shown.Parent().SpanID().IsValid())
			assert.NotEqual(t, broadcast.SpanContext().TraceID(), shown.SpanContext().TraceID())
			require.Len(t, shown.Links(), 1)
			assert.Equal(t, broadcast.SpanContext().SpanID(), shown.Links()[0].SpanContext.SpanID())
			assert.Contains(t, shown.Links()[0].Attributes, attribute.String("waybill.link.reason", "fanout"))
			assert.Contains(t, shown.Attributes(), attribute.Float64("waybill.fanout.weight", 5))
		})
	}
}
