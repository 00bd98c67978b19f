// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"

	"github.com/waybill-go/waybill/envelope"
)

// ShipAll ships the orders of senders that may have no traces, each in a trace of its own.
// It returns nil when orders is closed, and otherwise the error of ctx.
func ShipAll(
	ctx context.Context, orders <-chan envelope.Envelope[Order], ship func(context.Context, Order) error,
) error {
	// channels: entry
	var ended error
	for ctx, order := range envelope.Receive(ctx, orders, "ship order", envelope.WithRootSpans(), envelope.WithErr(&ended)) {
		if err := ship(ctx, order); err != nil {
			envelope.RecordError(ctx, err) // On the span of this order.
		}
	}
	if ended != nil {
		return ended // The context has ended, and orders may be left in the channel.
	}
	// channels: end
	return nil
}

// SendForLogs sends an order whose receiver logs the trace ID, sampled or not.
func SendForLogs(ctx context.Context, orders chan<- envelope.Envelope[Order], order Order) error {
	// channels: logs
	err := envelope.Send(ctx, orders, order, envelope.CarryPolicy{Unsampled: true})
	// channels: end
	return err
}
