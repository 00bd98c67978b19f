// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package pipeline prices orders and ships them.
package pipeline

import (
	"context"
	"sync"

	"github.com/waybill-go/waybill/envelope"
)

// Order goes through the pipeline.
type Order struct {
	ID    int
	Price int // in cents, once it is known
}

// Pipeline has a few workers for each of its steps.
type Pipeline struct {
	received chan envelope.Envelope[Order]
	priced   chan envelope.Envelope[Order]
	pricing  sync.WaitGroup
	shipping sync.WaitGroup
}

// Start starts the workers, which price orders and pass them to ship.
func Start(ctx context.Context, workers int, ship func(context.Context, Order)) *Pipeline {
	p := &Pipeline{
		received: make(chan envelope.Envelope[Order], 16),
		priced:   make(chan envelope.Envelope[Order], 16),
	}
	ctx = context.WithoutCancel(ctx) // As before, it is Close that ends the workers.
	for range workers {
		p.pricing.Go(func() {
			for ctx, order := range envelope.Receive(ctx, p.received, "price order") {
				order.Price = 100 * order.ID
				_ = envelope.Send(ctx, p.priced, order) // ctx does not end, so it is sent.
			}
		})
		p.shipping.Go(func() {
			for ctx, order := range envelope.Receive(ctx, p.priced, "ship order") {
				ship(ctx, order)
			}
		})
	}
	return p
}

// Submit puts an order into the pipeline.
func (p *Pipeline) Submit(ctx context.Context, order Order) error {
	return envelope.Send(ctx, p.received, order)
}

// Close waits until all orders are shipped.
func (p *Pipeline) Close() {
	close(p.received)
	p.pricing.Wait()
	close(p.priced)
	p.shipping.Wait()
}
