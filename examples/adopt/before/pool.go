// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package shop has pieces of a service in which work goes from goroutine to goroutine.
package shop

import (
	"context"
	"sync"
)

// Thumbnails makes thumbnails of images.
type Thumbnails struct {
	images   chan string
	results  chan result
	resizing sync.WaitGroup
	saving   sync.WaitGroup
}

type result struct {
	image string
	size  int
	err   error
}

// StartThumbnails starts a few workers, which resize images, and a goroutine that saves what
// they have made.
func StartThumbnails(
	ctx context.Context, workers int,
	resize func(ctx context.Context, image string) (size int, err error),
	save func(ctx context.Context, image string, size int, err error),
) *Thumbnails {
	t := &Thumbnails{images: make(chan string, 16), results: make(chan result, 16)}
	ctx = context.WithoutCancel(ctx) // It is Close that ends them.
	for range workers {
		t.resizing.Go(func() {
			for image := range t.images {
				size, err := resize(ctx, image)
				t.results <- result{image, size, err}
			}
		})
	}
	t.saving.Go(func() {
		for r := range t.results {
			save(ctx, r.image, r.size, r.err)
		}
	})
	return t
}

// Make has a thumbnail made. It waits for room.
func (t *Thumbnails) Make(ctx context.Context, image string) error {
	select {
	case t.images <- image:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close waits until all thumbnails are saved.
func (t *Thumbnails) Close() {
	close(t.images)
	t.resizing.Wait()
	close(t.results)
	t.saving.Wait()
}
