// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
)

// scene is what happens to a piece of the shop: requests with and without a trace.
type scene struct {
	shop shop

	mu   sync.Mutex
	done []string // what the shop has done
}

func (s *scene) did(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, fmt.Sprintf(format, args...))
}

const (
	untraced = "untraced" // the name of what arrives without a trace
	broken   = "broken"   // the name of what fails
)

var errBroken = errors.New("it is broken")

func errOf(name string) error {
	if name == broken {
		return errBroken
	}
	return nil
}

// request calls handle in a span, as instrumentation does with a request. But the request for
// what is untraced has none.
func request(ctx context.Context, name, what string, handle func(context.Context) error) error {
	if what == untraced {
		return handle(ctx)
	}
	ctx, span := otel.Tracer("requests").Start(ctx, name)
	defer span.End()
	err := handle(ctx)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// work stands for a call of something that is instrumented, such as a database.
func work(ctx context.Context, name string) {
	_, span := otel.Tracer("calls").Start(ctx, name)
	defer span.End()
	time.Sleep(time.Millisecond)
}

func (s *scene) pool(ctx context.Context) error {
	t := s.shop.startThumbnails(ctx, 2,
		func(ctx context.Context, image string) (int, error) {
			work(ctx, "GET image")
			return len(image), errOf(image)
		},
		func(ctx context.Context, image string, size int, err error) {
			work(ctx, "PUT thumbnail")
			s.did("thumbnail of %s: %d, %v", image, size, err)
		})
	defer t.Close()
	for _, image := range []string{"cup", "plate", untraced, broken} {
		if err := request(ctx, "POST image", image, func(ctx context.Context) error { return t.Make(ctx, image) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) group(ctx context.Context) error {
	for _, catalogue := range [][]string{{"cup", "plate", "spoon"}, {untraced}, {broken}} {
		err := request(ctx, "POST catalogue", catalogue[0], func(ctx context.Context) error {
			return s.shop.importAll(ctx, 2, catalogue, func(ctx context.Context, product string) error {
				work(ctx, "INSERT product")
				s.did("add %s", product)
				return errOf(product)
			})
		})
		s.did("import %v: %v", catalogue, err)
	}
	return nil
}

func (s *scene) batcher(ctx context.Context) error {
	const enough = 3
	stored := make(chan struct{}, enough)
	c := s.shop.startClicks(ctx, enough, 50*time.Millisecond, func(ctx context.Context, query string, args ...any) error {
		work(ctx, "INSERT clicks")
		s.did("%s %v", query, args)
		for range args {
			stored <- struct{}{}
		}
		return nil
	})
	defer c.Close()
	for _, pages := range [][]string{{"/cups", "/plates", "/spoons"}, {untraced}, {"/forks"}} {
		for _, page := range pages {
			_ = request(ctx, "GET page", page, func(ctx context.Context) error {
				s.did("click on %s: %t", page, c.Add(ctx, page))
				return nil
			})
		}
		for range pages { // They are enough, or it has been long enough.
			<-stored
		}
	}
	return nil
}

func (s *scene) ticker(ctx context.Context) error {
	names := []string{"cups", "plates"}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var fetched atomic.Int64
	// A mistake that is easily made: this span lasts as long as the service.
	ctx, span := otel.Tracer("main").Start(ctx, "main")
	defer span.End()
	s.shop.runFeeds(ctx, feeds{
		List: func(context.Context) []string { return names },
		Fetch: func(ctx context.Context, feed string) {
			work(ctx, "GET feed")
			s.did("fetch %s", feed)
			if int(fetched.Add(1)) == 2*len(names) { // Two rounds.
				stop()
			}
		},
		Beat: func(ctx context.Context) {
			work(ctx, "PUT heartbeat")
			s.did("beat")
		},
	}, 2, 50*time.Millisecond, 30*time.Millisecond)
	return nil
}
