// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// A hub sends one message to 10,000 clients, over a channel each. The spans of ten of them
// tell of all.
func Example() {
	recorder := tracetest.NewSpanRecorder() // A program has a processor that exports.
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	chat, err := fanout.New("chat", fanout.WithTracerProvider(provider))
	if err != nil {
		panic(err)
	}
	clients := make([]chan envelope.Envelope[string], 10_000)
	for i := range clients {
		clients[i] = make(chan envelope.Envelope[string], 1)
	}

	ctx, span := provider.Tracer("example").Start(context.Background(), "post")
	b := chat.Begin(ctx, len(clients))
	for _, client := range clients {
		select {
		case client <- envelope.New("hello", b.Next()):
		default:
			b.Refuse(fanout.Full)
		}
	}
	fmt.Printf("%+v\n", b.End())
	span.End()

	shown := 0
	for _, client := range clients {
		close(client)
		for range envelope.Receive(context.Background(), client, "show", envelope.WithTracerProvider(provider)) {
			shown++
		}
	}
	fmt.Println(shown, "messages shown,", len(recorder.Ended()), "spans")
	// Output:
	// {Size:10000 Delivered:10000 Refused:0 Sampled:10}
	// 10000 messages shown, 12 spans
}

// Send is the loop of a hub for a slice of channels. It tells whose channel was full.
func ExampleSend() {
	chat, err := fanout.New("chat")
	if err != nil {
		panic(err)
	}
	clients := []chan envelope.Envelope[string]{
		make(chan envelope.Envelope[string], 1),
		make(chan envelope.Envelope[string]), // Nobody receives.
	}
	delivery, lost := fanout.Send(context.Background(), chat, clients, "hello", fanout.Refuse)
	fmt.Println(delivery.Delivered, "delivered, lost by", lost)
	// Output: 1 delivered, lost by [1]
}

// Shards of a hub are goroutines that have a part of the clients each.
func ExampleBroadcast_Part() {
	chat, err := fanout.New("chat")
	if err != nil {
		panic(err)
	}
	shards := [][]string{{"ann", "bob"}, {"cat"}}
	b := chat.Begin(context.Background(), 3)
	done := make(chan fanout.Delivery)
	for _, clients := range shards {
		part := b.Part(len(clients))
		go func() {
			for range clients {
				_ = part.Next() // The header of a client's envelope.
			}
			done <- part.End()
		}()
	}
	b.End()
	fmt.Println((<-done).Delivered+(<-done).Delivered, "delivered")
	// Output: 3 delivered
}

// The counts of a fan-out are metrics.
func ExampleFanout_RegisterMetrics() {
	chat, err := fanout.New("chat")
	if err != nil {
		panic(err)
	}
	reader := sdkmetric.NewManualReader() // A program has one that exports.
	registration, err := chat.RegisterMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("example"))
	if err != nil {
		panic(err)
	}
	defer registration.Unregister() //nolint:errcheck // The program ends.
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Unit)
	}
	// Output:
	// waybill.fanout.broadcasts {broadcast}
	// waybill.fanout.delivered {recipient}
	// waybill.fanout.refused {recipient}
	// waybill.fanout.sampled {recipient}
	// waybill.fanout.unreached {recipient}
	// waybill.fanout.unplanned {recipient}
	// waybill.fanout.dropped {message}
	// waybill.fanout.late {span}
	// waybill.fanout.late.shed {span}
}
