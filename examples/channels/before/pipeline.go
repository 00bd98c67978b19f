// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package pipeline prices orders and ships them.
package pipeline

import (
	"context"
	"sync"
)

// Order goes through the pipeline.
type Order struct {
	ID    int
	Price int // in cents, once it is known
}

// Pipeline has a few workers for each of its steps.
type Pipeline struct {
	received chan Order
	priced   chan Order
	pricing  sync.WaitGroup
	shipping sync.WaitGroup
}

// Start starts the workers, which price orders and pass them to ship.
func Start(ctx context.Context, workers int, ship func(context.Context, Order)) *Pipeline {
	p := &Pipeline{
		received: make(chan Order, 16),
		priced:   make(chan Order, 16),
	}
	for range workers {
		p.pricing.Go(func() {
			for order := range p.received {
				order.Price = 100 * order.ID
				p.priced <- order
			}
		})
		p.shipping.Go(func() {
			for order := range p.priced {
				ship(ctx, order)
			}
		})
	}
	return p
}

// Submit puts an order into the pipeline.
func (p *Pipeline) Submit(ctx context.Context, order Order) {
	p.received <- order
}

// Close waits until all orders are shipped.
func (p *Pipeline) Close() {
	close(p.received)
	p.pricing.Wait()
	close(p.priced)
	p.shipping.Wait()
}
