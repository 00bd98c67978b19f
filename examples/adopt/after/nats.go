// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
)

// Orders ships orders that arrive over NATS.
type Orders struct {
	subscription *nats.Subscription
	shipping     sync.WaitGroup
}

// StartOrders subscribes to orders, and starts a few workers, which ship them.
func StartOrders(
	ctx context.Context, conn *nats.Conn, workers int,
	ship func(ctx context.Context, order string) error,
) (*Orders, error) {
	o, orders := &Orders{}, make(chan envelope.Envelope[string], 16)
	ctx = context.WithoutCancel(ctx) // It is Close that ends them.
	var err error
	o.subscription, err = conn.QueueSubscribe("orders", "shipping", func(m *nats.Msg) {
		ctx := propagate.SampledFirst{}.Extract(ctx, propagate.MetadataCarrier(m.Header))
		orders <- envelope.Wrap(ctx, string(m.Data))
	})
	if err != nil {
		return nil, err
	}
	o.subscription.SetClosedHandler(func(string) { close(orders) })
	for range workers {
		o.shipping.Go(func() {
			for ctx, order := range envelope.Receive(ctx, orders, "ship order") {
				if err := ship(ctx, order); err != nil {
					envelope.RecordError(ctx, err)
					slog.ErrorContext(ctx, "an order is not shipped", "order", order, "error", err)
				}
			}
		})
	}
	return o, nil
}

// Close waits until all orders that have arrived are shipped.
func (o *Orders) Close() error {
	err := o.subscription.Drain()
	o.shipping.Wait()
	return err
}
