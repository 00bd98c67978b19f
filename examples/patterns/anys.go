// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-go/waybill/envelope"
)

// SendAny sends on a channel that others read and write too.
func SendAny(ctx context.Context, inbox chan<- any, order Order) {
	// channels: any-send
	inbox <- envelope.Wrap(ctx, order) // was: inbox <- order
	// channels: end
}

// HandleOrders handles the orders that arrive, and passes other values to other.
func HandleOrders(
	ctx context.Context, inbox <-chan any, shipOrder func(context.Context, Order) error, other func(any),
) error {
	var failed error
	// channels: any-one
	ship := envelope.Handler(ctx, "ship order", shipOrder)
	for v := range inbox {
		e, err := envelope.From[Order](v) // bare or wrapped
		if err != nil {
			other(v) // It is no order: log it, count it or pass it on.
			continue
		}
		failed = errors.Join(failed, ship(e))
	}
	// channels: end
	return failed
}

// HandleAny handles messages of several types.
func HandleAny(
	ctx context.Context, inbox <-chan any,
	shipOrder func(context.Context, Order) error, payRefund func(context.Context, Refund) error,
) error {
	var failed error
	// channels: any-many
	handle := envelope.Handler(ctx, "handle message", func(ctx context.Context, m any) error {
		switch m := m.(type) {
		case Order:
			return shipOrder(ctx, m)
		case Refund:
			return payRefund(ctx, m)
		default:
			return fmt.Errorf("nobody handles a %T", m)
		}
	})
	for v := range inbox {
		e, _ := envelope.From[any](v) // It cannot fail, because every value is an any.
		failed = errors.Join(failed, handle(e))
	}
	// channels: end
	return failed
}
