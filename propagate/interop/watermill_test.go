// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// openWatermill goes through Watermill's own channels. Its metadata has one
// value a key.
func openWatermill(t *testing.T, s *site) wire {
	pubsub := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 4}, watermill.NopLogger{})
	messages, err := pubsub.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range messages {
			ctx := s.propagator.Extract(m.Context(), propagate.MapCarrier(m.Metadata))
			ctx, span := s.tracer().Start(ctx, "process "+topic, trace.WithSpanKind(trace.SpanKindConsumer))
			s.arrive(ctx, string(m.Payload))
			span.End()
			m.Ack()
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, pubsub.Close())
		<-done
	})
	return wire{
		once: true,
		send: func(ctx context.Context, body string) {
			m := message.NewMessage(watermill.NewUUID(), []byte(body))
			for _, h := range leftovers {
				m.Metadata.Set(h.key, h.value)
			}
			ctx, span := s.tracer().Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer))
			s.propagator.Inject(ctx, propagate.MapCarrier(m.Metadata))
			require.NoError(t, pubsub.Publish(topic, m))
			span.End()
		},
		sendRaw: func(body string, headers ...pair) {
			m := message.NewMessage(watermill.NewUUID(), []byte(body))
			for _, h := range headers {
				m.Metadata.Set(h.key, h.value)
			}
			require.NoError(t, pubsub.Publish(topic, m))
		},
	}
}
