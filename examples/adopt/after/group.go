// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-go/waybill/envelope"
)

// Import adds the products of a catalogue, several at a time. The first failure ends it.
func Import(
	ctx context.Context, workers int, catalogue []string,
	add func(ctx context.Context, product string) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	products := make(chan envelope.Envelope[string])
	group.Go(func() error {
		defer close(products)
		for _, product := range catalogue {
			select {
			case products <- envelope.Wrap(ctx, product):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	handle := envelope.Handler(ctx, "add product", add)
	for range workers {
		group.Go(func() error {
			for product := range products {
				if err := handle(product); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
