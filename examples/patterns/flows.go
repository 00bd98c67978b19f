// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"sync"
	"time"

	"github.com/waybill-go/waybill/envelope"
)

// Work lets several workers share a channel until it is closed and empty.
func Work(ctx context.Context, workers int, orders <-chan envelope.Envelope[Order], ship func(context.Context, Order)) {
	// channels: pool
	var pool sync.WaitGroup
	for range workers {
		pool.Go(func() {
			for ctx, order := range envelope.Receive(ctx, orders, "ship order") {
				ship(ctx, order)
			}
		})
	}
	pool.Wait()
	// channels: end
}

// Price is a step of a pipeline.
func Price(
	ctx context.Context, received <-chan envelope.Envelope[Order], priced chan<- envelope.Envelope[Order],
	priceOf func(context.Context, Order) int,
) error {
	// channels: pipeline
	for ctx, order := range envelope.Receive(ctx, received, "price order") {
		order.Price = priceOf(ctx, order)
		if err := envelope.Send(ctx, priced, order); err != nil {
			return err
		}
	}
	// channels: end
	return ctx.Err()
}

// Merge returns a channel with the orders of all sources. It is closed when all sources
// are closed.
func Merge(sources ...<-chan envelope.Envelope[Order]) <-chan envelope.Envelope[Order] {
	// channels: fan-in
	merged := make(chan envelope.Envelope[Order])
	var forwarders sync.WaitGroup
	for _, source := range sources {
		forwarders.Go(func() {
			for e := range source {
				merged <- e // With its trace, baggage and time of sending.
			}
		})
	}
	go func() {
		forwarders.Wait()
		close(merged)
	}()
	// channels: end
	return merged
}

// Restamp makes the wait of a message begin now.
func Restamp(e envelope.Envelope[Order]) envelope.Envelope[Order] {
	// channels: restamp
	e = envelope.New(e.Message(), e.Header().WithSentAt(time.Now()))
	// channels: end
	return e
}

// Distribute sends many messages at once.
func Distribute(ctx context.Context, queue chan<- envelope.Envelope[Order], orders []Order) {
	// channels: fan-out
	header := envelope.NewHeader(ctx) // One for all of them.
	for _, order := range orders {
		queue <- envelope.New(order, header)
	}
	// channels: end
}
