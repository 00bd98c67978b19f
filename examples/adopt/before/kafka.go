// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Payments books payments that arrive over Kafka, until ctx ends or a booking fails. Each
// worker has partitions of its own, whose records it handles in order.
func Payments(
	ctx context.Context, client *kgo.Client, workers int,
	book func(ctx context.Context, payment []byte) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	queues := make([]chan *kgo.Record, workers)
	for i := range queues {
		queue := make(chan *kgo.Record, 16)
		queues[i] = queue
		group.Go(func() error {
			for record := range queue {
				if err := book(ctx, record.Value); err != nil {
					return err
				}
				client.MarkCommitRecords(record)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer func() {
			for _, queue := range queues {
				close(queue)
			}
		}()
		for {
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return err
			}
			for record := range fetches.RecordsAll() {
				select {
				case queues[int(record.Partition)%workers] <- record:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	})
	return group.Wait()
}
