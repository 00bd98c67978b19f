// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/twmb/franz-go/pkg/kgo"

	traced "github.com/waybill-go/waybill/examples/adopt/after"
)

// shop has the pieces of the service, as they are before or after the change.
type shop struct {
	startThumbnails func(
		ctx context.Context, workers int,
		resize func(context.Context, string) (int, error), save func(context.Context, string, int, error),
	) thumbnails
	importAll func(
		ctx context.Context, workers int, catalogue []string, add func(context.Context, string) error,
	) error
	startClicks func(
		ctx context.Context, enough int, after time.Duration,
		exec func(context.Context, string, ...any) error,
	) clicks
	startOrders func(
		ctx context.Context, conn *nats.Conn, workers int, ship func(context.Context, string) error,
	) (orders, error)
	payments func(
		ctx context.Context, client *kgo.Client, workers int, book func(context.Context, []byte) error,
	) error
	runFeeds func(ctx context.Context, f feeds, workers int, every, beat time.Duration)
}

type thumbnails interface {
	Make(ctx context.Context, image string) error
	Close()
}

type clicks interface {
	Add(ctx context.Context, click string) bool
	Close()
}

type orders interface{ Close() error }

type feeds struct {
	List  func(context.Context) []string
	Fetch func(context.Context, string)
	Beat  func(context.Context)
}

var after = shop{
	startThumbnails: func(
		ctx context.Context, workers int,
		resize func(context.Context, string) (int, error), save func(context.Context, string, int, error),
	) thumbnails {
		return traced.StartThumbnails(ctx, workers, resize, save)
	},
	importAll: traced.Import,
	startClicks: func(
		ctx context.Context, enough int, after time.Duration, exec func(context.Context, string, ...any) error,
	) clicks {
		return traced.StartClicks(ctx, enough, after, exec)
	},
	startOrders: func(
		ctx context.Context, conn *nats.Conn, workers int, ship func(context.Context, string) error,
	) (orders, error) {
		return traced.StartOrders(ctx, conn, workers, ship)
	},
	payments: traced.Payments,
	runFeeds: func(ctx context.Context, f feeds, workers int, every, beat time.Duration) {
		traced.Feeds(f).Run(ctx, workers, every, beat)
	},
}
