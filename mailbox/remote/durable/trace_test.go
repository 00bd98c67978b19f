// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/propagate"
)

// The handlings of a message are children of its publisher's span, say which attempt they are,
// and link to the one that failed before, though that was on another machine. A dead letter
// keeps the trace.
func TestRedeliveryIsLinkedToTheFailedHandling(t *testing.T) {
	server, js := start(t)
	conf := config()
	conf.MaxDeliver = 3
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	turn := make(chan int, 1) // Which node is to have the next attempt.
	turn <- 0
	for node := range 2 {
		q := newQueue(t, streams(t, server.Conn(t)), conf)
		handle := func(ctx context.Context, d durable.Delivery[order]) error {
			assert.Equal(t, "acme", baggage.FromContext(ctx).Member("customer").Value())
			if next := <-turn; next != node {
				turn <- next
				return errBroken
			}
			turn <- 1 - node
			return errBroken
		}
		_, _ = consume(t, q, newSystem(t, mailbox.WithTracerProvider(provider)), handle)
	}
	member, err := baggage.NewMember("customer", "acme")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	ctx, root := provider.Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), bag), "root")
	q := newQueue(t, js, conf)
	_, err = q.Publish(ctx, order{1})
	require.NoError(t, err)
	root.End()
	eventually(t, func() bool { return len(deadLetters(t, js)) == 1 && settled(t, js) })

	dead := deadLetters(t, js)[0].Header
	assert.Contains(t, dead.Get("traceparent"), root.SpanContext().TraceID().String())
	assert.Equal(t, "customer=acme", dead.Get("baggage"))

	var last trace.SpanContext
	attempt := int64(0)
	for _, span := range exporter.GetSpans() {
		if span.Name == "root" {
			continue
		}
		attempt++
		assert.Equal(t, "shipping order", span.Name)
		assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
		assert.Equal(t, root.SpanContext().SpanID(), span.Parent.SpanID())
		attrs := attribute.NewSet(span.Attributes...)
		for key, want := range map[attribute.Key]any{
			keys.DeliveryAttempt: attempt, keys.MessageType: "order", "messaging.system": "nats",
			"messaging.destination.name": "orders", "messaging.consumer.group.name": "shipping", keys.ClocksCrossed: true,
		} {
			value, _ := attrs.Value(key)
			assert.Equal(t, want, value.AsInterface(), key)
		}
		if attempt == 1 {
			assert.Empty(t, span.Links)
		} else {
			require.Len(t, span.Links, 1)
			assert.Equal(t, last.TraceID(), span.Links[0].SpanContext.TraceID())
			assert.Equal(t, last.SpanID(), span.Links[0].SpanContext.SpanID())
			assert.Equal(t, []attribute.KeyValue{keys.LinkReason.String("redelivery")}, span.Links[0].Attributes)
		}
		last = span.SpanContext
	}
	assert.Equal(t, int64(3), attempt)
}

// A message of an interface type is named after what it holds.
func TestSpansNameTheDynamicType(t *testing.T) {
	_, js := start(t)
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	q, err := durable.New(js, durable.Config[any]{
		Stream: "ORDERS", Subject: "orders", Consumer: "shipping", DeadLetter: "dead.orders", Codec: orderCodec{},
	})
	require.NoError(t, err)
	sys := newSystem(t, mailbox.WithTracerProvider(provider))
	ref, err := mailbox.Spawn(sys, "shipping", durable.Handler(func(context.Context, durable.Delivery[any]) error { return nil }))
	require.NoError(t, err)
	c, err := q.Consume(t.Context(), ref)
	require.NoError(t, err)
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	root.End()
	_, err = q.Publish(ctx, order{1})
	require.NoError(t, err)
	eventually(t, func() bool { return len(exporter.GetSpans()) == 2 })
	assert.Equal(t, "shipping order", exporter.GetSpans()[1].Name)
	require.NoError(t, c.Close(t.Context()))
}

// orderCodec is a codec for one message.
type orderCodec struct{}

func (orderCodec) Append(b []byte, _ any) ([]byte, error) { return append(b, 'o'), nil }
func (orderCodec) Decode([]byte) (any, error)             { return order{1}, nil }

// Behind a boundary, what a message says of its trace is not believed.
func TestBoundary(t *testing.T) {
	_, js := start(t)
	conf := config()
	conf.Boundary = propagate.Boundary{Policy: propagate.Ignore}
	q := newQueue(t, js, conf)
	traced := make(chan trace.SpanContext, 1)
	_, _ = consume(t, q, newSystem(t), func(ctx context.Context, _ durable.Delivery[order]) error {
		traced <- trace.SpanContextFromContext(ctx)
		return nil
	})
	_, root := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "root")
	_, err := q.Publish(trace.ContextWithSpan(t.Context(), root), order{1})
	require.NoError(t, err)
	assert.NotEqual(t, root.SpanContext().TraceID(), (<-traced).TraceID())
}

// A dead letter that no handler had leaves a span in the trace of its publisher.
func TestDeadLettersHaveASpan(t *testing.T) {
	_, js := start(t)
	exporter := tracetest.NewInMemoryExporter()
	conf := config()
	conf.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	_, _ = consume(t, newQueue(t, js, conf), newSystem(t), func(context.Context, durable.Delivery[order]) error { return nil })
	ctx, root := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "root")
	text, err := durable.New(js, durable.Config[string]{Stream: "ORDERS", Subject: "orders"})
	require.NoError(t, err)
	_, err = text.Publish(t.Context(), "no order and no trace")
	require.NoError(t, err)
	_, err = text.Publish(ctx, "no order")
	require.NoError(t, err)
	eventually(t, func() bool { return len(deadLetters(t, js)) == 2 && settled(t, js) && len(exporter.GetSpans()) > 0 })
	require.Len(t, exporter.GetSpans(), 1)
	span := exporter.GetSpans()[0]
	assert.Equal(t, "shipping order", span.Name)
	assert.Equal(t, root.SpanContext().SpanID(), span.Parent.SpanID())
	assert.Equal(t, codes.Error, span.Status.Code)
	attrs := attribute.NewSet(span.Attributes...)
	reason, _ := attrs.Value(keys.LateReason)
	assert.Equal(t, "dead_letter_undecodable", reason.AsString())
}
