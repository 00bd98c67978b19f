// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// Order is the message of the examples.
type Order struct{ Item string }

func ExampleReceive() {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	orders := make(chan envelope.Envelope[Order], 1)

	ctx, span := provider.Tracer("shop").Start(context.Background(), "checkout")
	err := envelope.Send(ctx, orders, Order{"a lamp"})
	span.End()
	close(orders)
	if err != nil {
		fmt.Println(err)
	}

	for ctx, order := range envelope.Receive(context.Background(), orders, "process orders",
		envelope.WithTracerProvider(provider)) {
		fmt.Println("shipping", order.Item, "in a span:", trace.SpanFromContext(ctx).IsRecording())
	}

	for _, s := range recorder.Ended() {
		fmt.Println(s.SpanKind(), s.Name(), "below another:", s.Parent().IsValid())
	}
	// Output:
	// shipping a lamp in a span: true
	// internal checkout below another: false
	// consumer process orders below another: true
}

func ExampleSend() {
	orders := make(chan envelope.Envelope[Order], 1)
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(envelope.Send(ctx, orders, Order{"a lamp"}))

	cancel() // The channel is full, so that nothing but the end can happen.
	fmt.Println(envelope.Send(ctx, orders, Order{"a table"}))
	// Output:
	// <nil>
	// context canceled
}

func ExampleTrySend() {
	orders := make(chan envelope.Envelope[Order], 1)
	fmt.Println(envelope.TrySend(context.Background(), orders, Order{"a lamp"}))
	fmt.Println(envelope.TrySend(context.Background(), orders, Order{"a table"}))
	// Output:
	// true
	// false
}

func ExampleWrap() {
	member, _ := baggage.NewMemberRaw("customer", "acme")
	bag, _ := baggage.New(member)
	ctx := baggage.ContextWithBaggage(context.Background(), bag)

	e := envelope.Wrap(ctx, Order{"a lamp"})
	ctx, order := e.Unwrap(context.Background())
	fmt.Println(order.Item, "for", baggage.FromContext(ctx).Member("customer").Value())
	fmt.Println("nothing to carry:", envelope.Wrap(context.Background(), order).Header() == nil)
	// Output:
	// a lamp for acme
	// nothing to carry: true
}

func ExampleNew() {
	header := envelope.NewHeader(context.Background())
	e := envelope.New(Order{"a lamp"}, header)
	fmt.Println(e.Message().Item, e.Header().Sampled())
	// Output: a lamp false
}

// Messages of one sender share a header.
func ExampleNewHeader() {
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
	header := envelope.NewHeader(ctx)
	lamp, table := envelope.New(Order{"a lamp"}, header), envelope.New(Order{"a table"}, header)
	fmt.Println(lamp.Header().Sampled(), lamp.Header() == table.Header())
	// Output: true true
}

func ExampleFrom() {
	inbox := make(chan any, 3) // Its type could not change.
	inbox <- Order{"a lamp"}
	inbox <- envelope.Wrap(context.Background(), Order{"a table"})
	inbox <- "a letter"
	close(inbox)

	for v := range inbox {
		e, err := envelope.From[Order](v)
		if errors.Is(err, envelope.ErrType) {
			fmt.Println(err)
			continue
		}
		_, order := e.Unwrap(context.Background())
		fmt.Println(order.Item)
	}
	// Output:
	// a lamp
	// a table
	// envelope: unexpected message type: string is no envelope_test.Order
}

func ExampleCarryPolicy() {
	unsampled := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a, 15: 0x01},
		SpanID:  trace.SpanID{0x0b, 7: 0x01},
	}))
	fmt.Println(envelope.NewHeader(unsampled).SpanContext().TraceID())
	fmt.Println(envelope.CarryPolicy{Unsampled: true}.Header(unsampled).SpanContext().TraceID())
	// Output:
	// 00000000000000000000000000000000
	// 0a000000000000000000000000000001
}

func ExampleSentinel() {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	ctx, _ := envelope.Bare(Order{"a lamp"}).Unwrap(context.Background())
	fmt.Println(envelope.IsSentinel(trace.SpanContextFromContext(ctx)))

	_, span := provider.Tracer("shop").Start(ctx, "look up")
	fmt.Println(span.IsRecording())
	// Output:
	// true
	// false
}

func ExampleUntraced() {
	ctx := envelope.Untraced(context.Background())
	fmt.Println(envelope.IsSentinel(trace.SpanContextFromContext(ctx)))
	fmt.Println(ctx == envelope.Untraced(ctx))
	// Output:
	// true
	// true
}
