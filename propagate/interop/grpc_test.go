// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/grpcheaders"
)

// healthServer is a service that needs no generated code of ours. The name that
// it is asked about is the message.
type healthServer struct {
	grpc_health_v1.UnimplementedHealthServer
	check func(ctx context.Context, body string)
}

func (h healthServer) Check(
	ctx context.Context, r *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	h.check(ctx, r.GetService())
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// serveGRPC starts a server and returns its address.
func serveGRPC(t *testing.T, handler stats.Handler, check func(ctx context.Context, body string)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.StatsHandler(handler))
	grpc_health_v1.RegisterHealthServer(server, healthServer{check: check})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-done)
	})
	return listener.Addr().String()
}

func dialGRPC(t *testing.T, target string, options ...grpc.DialOption) grpc_health_v1.HealthClient {
	t.Helper()
	conn, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return grpc_health_v1.NewHealthClient(conn)
}

// openGRPC goes through otelgrpc at both ends, with the handler that joins
// repeated metadata in front.
func openGRPC(t *testing.T, s *site) wire {
	return openGRPCWith(t, s, grpcheaders.ServerHandler)
}

func openGRPCWith(t *testing.T, s *site, front func(stats.Handler) stats.Handler) wire {
	options := []otelgrpc.Option{otelgrpc.WithTracerProvider(s.provider), otelgrpc.WithPropagators(s.propagator)}
	target := serveGRPC(t, front(otelgrpc.NewServerHandler(options...)), s.arrive)
	traced := dialGRPC(t, target, grpc.WithStatsHandler(otelgrpc.NewClientHandler(options...)))
	plain := dialGRPC(t, target)
	check := func(ctx context.Context, client grpc_health_v1.HealthClient, body string, headers []pair) {
		for _, h := range headers {
			ctx = metadata.AppendToOutgoingContext(ctx, h.key, h.value)
		}
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: body})
		require.NoError(t, err)
	}
	return wire{
		send: func(ctx context.Context, body string) {
			check(ctx, traced, body, leftovers)
		},
		sendRaw: func(body string, headers ...pair) { check(t.Context(), plain, body, headers) },
	}
}

// Without the handler in front otelgrpc shows a propagator the first value of
// each key alone. If this test fails, otelgrpc has learned better.
func TestGRPCWithoutTheHandlerHidesRepetition(t *testing.T) {
	p := propagate.SampledFirst{Counters: new(propagate.Counters)}
	s := newSite(t, p)
	w := openGRPCWith(t, s, func(next stats.Handler) stats.Handler { return next })
	w.sendRaw("tracestate", pair{"traceparent", sampled}, pair{"tracestate", "a=1"}, pair{"tracestate", "b=2"})
	assert.Equal(t, "a=1", s.next(t).span.TraceState().String())
	w.sendRaw("traceparent", pair{"traceparent", sampled}, pair{"traceparent", stale})
	assert.Equal(t, traceID, s.next(t).span.TraceID().String())
	assert.Zero(t, p.Counters.Counts())
}

// Outside otelgrpc, metadata goes through the carrier of package propagate.
func TestGRPCMetadataByHand(t *testing.T) {
	p := propagate.SampledFirst{Counters: new(propagate.Counters)}
	s := newSite(t, p)
	target := serveGRPC(t, grpcheaders.ServerHandler(silent{}), func(ctx context.Context, body string) {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx, span := s.tracer().Start(p.Extract(ctx, propagate.MetadataCarrier(md)), "serve")
		defer span.End()
		sampled, ok := propagate.PeekHeader(md)
		s.arrive(ctx, fmt.Sprintf("%s sampled: %v, ok: %v", body, sampled, ok))
	})
	ctx, span := s.sender(t, sampled, state, bag)
	defer span.End()
	md := metadata.Pairs("tracestate", "stale=1", "baggage", "stale=yes", "traceparent", stale, "traceparent", stale)
	p.Inject(ctx, propagate.MetadataCarrier(md))
	_, err := dialGRPC(t, target).Check(metadata.NewOutgoingContext(ctx, md), &grpc_health_v1.HealthCheckRequest{Service: "hello"})
	require.NoError(t, err)
	got := s.next(t)
	assert.Equal(t, "hello sampled: true, ok: true", got.body)
	assert.Equal(t, span.SpanContext().SpanID(), got.parent.SpanID())
	assert.Equal(t, state, got.span.TraceState().String())
	assert.Equal(t, bag, got.bag)
}

// silent is a handler that does nothing.
type silent struct{}

func (silent) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (silent) HandleRPC(context.Context, stats.RPCStats)                         {}
func (silent) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (silent) HandleConn(context.Context, stats.ConnStats)                       {}
