// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/envelope"
)

// ShipUntil ships orders until ctx ends or the channel is closed. Then it ships what is
// left in the channel, for as long as grace. All senders must have stopped when ctx ends.
func ShipUntil(
	ctx context.Context, orders <-chan envelope.Envelope[Order], grace time.Duration,
	shipOrder func(context.Context, Order) error,
) error {
	// channels: drain
	var ended error
	for ctx, order := range envelope.Receive(ctx, orders, "ship order", envelope.WithErr(&ended)) {
		envelope.RecordError(ctx, shipOrder(ctx, order))
	}
	if ended == nil {
		return nil // The channel is closed and empty.
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace) // ctx has ended.
	defer cancel()
	ship := envelope.Handler(rest, "ship order", shipOrder)
	for rest.Err() == nil {
		select {
		case e, ok := <-orders:
			if !ok {
				return nil
			}
			_ = ship(e) // Its span has recorded an error.
		default:
			return nil // Nothing is left.
		}
	}
	return rest.Err() // What is left is lost, unless it is stored.
	// channels: end
}
