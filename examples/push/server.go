// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/waybill-go/waybill/examples/push/pushpb"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// server is a feed behind a listener.
type server struct {
	*feed

	grpc   *grpc.Server
	addr   string
	stop   func()
	served chan error
}

// serve starts a server on a free port of this machine. Its callers are trusted: a public
// one needs a boundary of package propagate for Publish.
func serve(ctx context.Context, provider *sdktrace.TracerProvider) (*server, error) {
	prices, err := fanout.New("prices", fanout.WithTracerProvider(provider))
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	closed, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{
		feed: &feed{
			prices: prices, limit: maxSubscribers, closed: closed.Done(), subscribers: map[chan price]struct{}{},
		},
		grpc: grpc.NewServer(
			grpc.StatsHandler(otelgrpc.NewServerHandler(instrumented(provider)...)),
			grpc.MaxRecvMsgSize(4<<10),
			grpc.ConnectionTimeout(10*time.Second),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		),
		addr: listener.Addr().String(), stop: stop, served: make(chan error, 1),
	}
	pushpb.RegisterFeedServer(s.grpc, s.feed)
	go func() { s.served <- s.grpc.Serve(listener) }()
	return s, nil
}

// close ends all streams, and returns when the server has stopped.
func (s *server) close() error {
	s.stop()
	s.grpc.GracefulStop()
	if err := <-s.served; !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}
