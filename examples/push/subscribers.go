// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/push/pushpb"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// perConnection is how many subscribers share a connection.
const perConnection = 1_000

// subscribers are the clients.
type subscribers struct {
	telemetry

	running sync.WaitGroup
	got     atomic.Int64
	events  chan struct{} // one for each subscriber that has joined, and for each price that it got
	stop    context.CancelCauseFunc
}

// drive lets the subscribers join, and publishes each price when all have got the one
// before. It returns how many prices they got, all together.
func (s *server) drive(ctx context.Context, t telemetry, c config) (int64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := &subscribers{telemetry: t, events: make(chan struct{}, 1024), stop: stop}
	conns := make([]*grpc.ClientConn, (c.subscribers+perConnection-1)/perConnection)
	var err error
	for i := range conns {
		if conns[i], err = dial(s.addr, t.subscriber); err != nil {
			return 0, err
		}
	}
	publisher, err := dial(s.addr, t.publisher)
	if err != nil {
		return 0, err
	}
	for i := range c.subscribers {
		all.running.Go(func() { all.subscribe(ctx, conns[i%len(conns)]) })
	}
	err = all.await(ctx, c.subscribers)
	for i := 0; i < c.prices && err == nil; i++ {
		if err = all.publish(ctx, publisher, int64(100+i)); err == nil {
			err = all.await(ctx, c.subscribers)
		}
	}
	s.stop() // All streams end.
	if err != nil {
		stop(err)
	}
	all.running.Wait()
	for _, conn := range conns {
		err = errors.Join(err, conn.Close())
	}
	err = errors.Join(err, publisher.Close())
	return all.got.Load(), err
}

func dial(addr string, provider *sdktrace.TracerProvider) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(instrumented(provider)...)))
}

// subscribe is one subscriber. The trace of its stream is not that of any price.
func (s *subscribers) subscribe(ctx context.Context, conn *grpc.ClientConn) {
	stream, err := pushpb.NewFeedClient(conn).Subscribe(ctx, &pushpb.SubscribeRequest{})
	if err != nil {
		s.stop(fmt.Errorf("a subscriber cannot subscribe: %w", err))
		return
	}
	prices := grpcstream.NewReceiver(stream, "show price", grpcstream.WithTracerProvider(s.subscriber))
	for _, price := range prices.Receive() {
		if price.GetSymbol() != "" {
			s.got.Add(1)
		}
		select {
		case s.events <- struct{}{}:
		case <-ctx.Done():
		}
	}
	if err := prices.Err(); status.Code(err) != codes.Unavailable && !errors.Is(err, context.Canceled) {
		s.stop(fmt.Errorf("a stream has ended: %w", err))
	}
}

// publish publishes a price.
func (s *subscribers) publish(ctx context.Context, conn *grpc.ClientConn, cents int64) error {
	ctx, span := s.publisher.Tracer("push").Start(ctx, "publish price")
	defer span.End()
	_, err := pushpb.NewFeedClient(conn).Publish(ctx, &pushpb.Price{Symbol: "WAYB", Cents: cents})
	return err
}

// await waits for n events.
func (s *subscribers) await(ctx context.Context, n int) error {
	for range n {
		select {
		case <-s.events:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
