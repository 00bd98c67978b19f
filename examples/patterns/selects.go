// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"

	"github.com/waybill-go/waybill/envelope"
)

// Serve handles the messages of two channels until ctx ends or both are closed.
func Serve(
	ctx context.Context,
	orders <-chan envelope.Envelope[Order], refunds <-chan envelope.Envelope[Refund],
	shipOrder func(context.Context, Order) error, payRefund func(context.Context, Refund) error,
) error {
	// channels: select
	ship := envelope.Handler(ctx, "ship order", shipOrder) // func(context.Context, Order) error
	pay := envelope.Handler(ctx, "pay refund", payRefund)
	for orders != nil || refunds != nil {
		var err error
		select {
		case e, ok := <-orders:
			if !ok {
				orders = nil // It is closed, so do not select it again.
				continue
			}
			err = ship(e)
		case e, ok := <-refunds:
			if !ok {
				refunds = nil
				continue
			}
			err = pay(e)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err // The message's span has recorded it.
		}
	}
	// channels: end
	return nil
}
