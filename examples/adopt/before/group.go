// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Import adds the products of a catalogue, several at a time. The first failure ends it.
func Import(
	ctx context.Context, workers int, catalogue []string,
	add func(ctx context.Context, product string) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	products := make(chan string)
	group.Go(func() error {
		defer close(products)
		for _, product := range catalogue {
			select {
			case products <- product:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for product := range products {
				if err := add(ctx, product); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
