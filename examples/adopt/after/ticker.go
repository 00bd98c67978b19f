// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// Feeds fetches the feeds of suppliers from time to time.
type Feeds struct {
	List  func(ctx context.Context) (feeds []string)
	Fetch func(ctx context.Context, feed string)
	Beat  func(ctx context.Context) // says that the service is alive
}

// Run fetches all feeds whenever some time has passed, several at a time, until ctx ends.
func (f Feeds) Run(ctx context.Context, workers int, every, beat time.Duration) {
	due := make(chan envelope.Envelope[string])
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer close(due)
	for range workers {
		fetching.Go(func() {
			for ctx, feed := range envelope.Receive(ctx, due, "fetch feed") {
				f.Fetch(ctx, feed)
			}
		})
	}
	fetch, alive := time.NewTicker(every), time.NewTicker(beat)
	defer fetch.Stop()
	defer alive.Stop()
	for {
		select {
		case <-fetch.C:
			f.refresh(ctx, due)
		case <-alive.C:
			f.Beat(envelope.Untraced(ctx))
		case <-ctx.Done():
			return
		}
	}
}

func (f Feeds) refresh(ctx context.Context, due chan<- envelope.Envelope[string]) {
	ctx, span := otel.Tracer("shop").Start(ctx, "refresh feeds", trace.WithNewRoot())
	defer span.End()
	for _, feed := range f.List(ctx) {
		select {
		case due <- envelope.Wrap(ctx, feed):
		case <-ctx.Done():
			return
		}
	}
}
