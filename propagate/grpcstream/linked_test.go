// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// A recipient of a fan-out with linked roots starts a trace of its own, as in a mailbox and
// on a channel.
func TestLinkedRoots(t *testing.T) {
	provider, spans := newProvider(t)
	f, err := fanout.New("prices", fanout.WithLinkedRoots(), fanout.WithTracerProvider(provider))
	require.NoError(t, err)
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: errEnd}}
	b := f.Begin(sampledContext(t), 1)
	require.NoError(t, grpcstream.NewSender(p).SendEnvelope(envelope.New(text("hello"), b.Next())))
	b.End()
	assert.Len(t, collect(grpcstream.NewReceiver(p, "show", grpcstream.WithTracerProvider(provider))), 1)
	require.Len(t, spans.Ended(), 2)
	broadcast, shown := spans.Ended()[0], spans.Ended()[1]
	assert.False(t, shown.Parent().SpanID().IsValid())
	assert.NotEqual(t, broadcast.SpanContext().TraceID(), shown.SpanContext().TraceID())
	require.Len(t, shown.Links(), 1)
	assert.Equal(t, broadcast.SpanContext().SpanID(), shown.Links()[0].SpanContext.SpanID())
	assert.Contains(t, shown.Links()[0].Attributes, attribute.String("waybill.link.reason", "fanout"))
}
