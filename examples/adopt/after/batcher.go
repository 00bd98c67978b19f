// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/waybill-go/waybill/envelope"
)

// Clicks stores clicks, many at a time.
type Clicks struct {
	clicks  chan envelope.Envelope[string]
	exec    func(ctx context.Context, query string, args ...any) error
	storing sync.WaitGroup
}

// StartClicks starts to store clicks, whenever there are enough of them, and after some time.
func StartClicks(
	ctx context.Context, enough int, after time.Duration,
	exec func(ctx context.Context, query string, args ...any) error,
) *Clicks {
	c := &Clicks{clicks: make(chan envelope.Envelope[string], enough), exec: exec}
	c.storing.Go(func() { c.run(ctx, enough, after) })
	return c
}

// Add adds a click. It drops the click if there is no room, and reports whether there was.
func (c *Clicks) Add(ctx context.Context, click string) bool {
	select {
	case c.clicks <- envelope.Wrap(ctx, click):
		return true
	default:
		slog.WarnContext(ctx, "a click is lost")
		return false
	}
}

// Close waits until all clicks are stored.
func (c *Clicks) Close() {
	close(c.clicks)
	c.storing.Wait()
}

func (c *Clicks) run(ctx context.Context, enough int, after time.Duration) {
	ticker := time.NewTicker(after)
	defer ticker.Stop()
	batch := make([]envelope.Envelope[string], 0, enough)
	store := envelope.BatchHandler(ctx, "store clicks", c.insert)
	for open := true; open; {
		select {
		case click, ok := <-c.clicks:
			if open = ok; ok {
				batch = append(batch, click)
			}
			if open && len(batch) < enough {
				continue
			}
		case <-ticker.C:
		}
		if len(batch) == 0 {
			continue
		}
		if err := store(batch); err != nil {
			slog.ErrorContext(ctx, "clicks are lost", "count", len(batch), "error", err)
		}
		batch = batch[:0]
	}
}

func (c *Clicks) insert(ctx context.Context, batch []envelope.Envelope[string]) error {
	var args []any
	for _, click := range batch {
		args = append(args, click.Message())
	}
	return c.exec(ctx, "INSERT INTO clicks VALUES (?)"+strings.Repeat(", (?)", len(args)-1), args...)
}
