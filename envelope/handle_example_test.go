// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/envelope"
)

func ExampleHandler() {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	orders := make(chan envelope.Envelope[Order], 2)
	stop := make(chan struct{})

	ship := envelope.Handler(context.Background(), "ship order", func(ctx context.Context, order Order) error {
		if order.Item == "a table" {
			close(stop)
			return errors.New("out of stock")
		}
		fmt.Println("shipping", order.Item)
		return nil
	}, envelope.WithTracerProvider(provider))

	ctx, span := provider.Tracer("shop").Start(context.Background(), "checkout")
	orders <- envelope.Wrap(ctx, Order{"a lamp"})
	orders <- envelope.Wrap(ctx, Order{"a table"})
	span.End()

	for open := true; open; {
		select {
		case e := <-orders:
			if err := ship(e); err != nil {
				fmt.Println("not shipped:", err)
			}
		case <-stop:
			open = false
		}
	}
	for _, s := range recorder.Ended() {
		fmt.Println(s.Name(), s.Status().Code)
	}
	// Output:
	// shipping a lamp
	// not shipped: out of stock
	// checkout Unset
	// ship order Unset
	// ship order Error
}

func ExampleBatchHandler() {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))

	store := envelope.BatchHandler(context.Background(), "store orders",
		func(ctx context.Context, batch []envelope.Envelope[Order]) error {
			for _, e := range batch {
				fmt.Println("storing", e.Message().Item)
			}
			return nil
		}, envelope.WithTracerProvider(provider))

	var batch []envelope.Envelope[Order]
	for _, item := range []string{"a lamp", "a table"} {
		ctx, span := provider.Tracer("shop").Start(context.Background(), "checkout")
		batch = append(batch, envelope.Wrap(ctx, Order{item}))
		span.End()
	}
	batch = append(batch, envelope.Bare(Order{"a chair"}))
	if err := store(batch); err != nil {
		fmt.Println(err)
	}

	ended := recorder.Ended()
	checkouts, stored := ended[:2], ended[2]
	fmt.Println(stored.SpanKind(), stored.Name())
	for i, link := range stored.Links() {
		fmt.Println("linked to checkout", i+1, link.SpanContext.Equal(checkouts[i].SpanContext()))
	}
	// Output:
	// storing a lamp
	// storing a table
	// storing a chair
	// consumer store orders
	// linked to checkout 1 true
	// linked to checkout 2 true
}
