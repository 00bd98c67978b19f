// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-go/waybill/envelope"
)

// Store collects orders and inserts many at a time: when it has size of them, at each
// tick, and when the channel is closed. Then it returns.
func Store(
	ctx context.Context, orders <-chan envelope.Envelope[Order], size int, ticks <-chan time.Time,
	insert func(context.Context, []envelope.Envelope[Order]) error,
) error {
	var failed error
	// channels: batch
	store := envelope.BatchHandler(ctx, "store orders", insert) // func(context.Context, []envelope.Envelope[Order]) error
	batch := make([]envelope.Envelope[Order], 0, size)
	for open := true; open; {
		var e envelope.Envelope[Order]
		select {
		case e, open = <-orders:
			if open {
				batch = append(batch, e)
			}
			if open && len(batch) < size {
				continue
			}
		case <-ticks: // A time.Ticker, so that a few orders do not wait for long.
		}
		if len(batch) > 0 {
			failed = errors.Join(failed, store(batch))
			clear(batch) // So that the orders can be freed.
			batch = batch[:0]
		}
	}
	// channels: end
	return failed
}
