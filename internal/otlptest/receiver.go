// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlptest receives spans over a real OTLP gRPC connection. It is for tests
// that look at what a collector would get:
//
//	receiver := otlptest.New(t)
//	exporter, err := otlptracegrpc.New(ctx,
//		otlptracegrpc.WithEndpoint(receiver.Endpoint()), otlptracegrpc.WithInsecure())
//	...
//	spans, err := receiver.WaitFor(ctx, 3)
//
// It serves the collector's TraceService as the OTLP specification describes it,
// without TLS. Any number of goroutines and exporters may use one receiver.
package otlptest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Receiver collects the spans that are exported to it. Make one with [New].
type Receiver struct {
	collector.UnimplementedTraceServiceServer

	endpoint string

	mu      sync.Mutex
	spans   []Span
	changed chan struct{} // closed and replaced with every export
}

// New starts a receiver on a free port of the loopback interface. It stops with the
// test, and cuts off an exporter that is still connected then.
func New(t testing.TB) *Receiver {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("otlptest: %v", err)
	}
	r := &Receiver{endpoint: listener.Addr().String(), changed: make(chan struct{})}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("otlptest: %v", err)
		}
	})
	return r
}

// Endpoint returns the receiver's address, host and port, for
// otlptracegrpc.WithEndpoint.
func (r *Receiver) Endpoint() string { return r.endpoint }

// Spans returns all spans received so far, in the order they came. The slice
// belongs to the caller; what the spans hold is shared.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// WaitFor blocks until at least n spans were received, and returns all spans received
// so far. If ctx ends before, it returns them with an error.
func (r *Receiver) WaitFor(ctx context.Context, n int) ([]Span, error) {
	for {
		r.mu.Lock()
		spans, changed := slices.Clone(r.spans), r.changed
		r.mu.Unlock()
		if len(spans) >= n {
			return spans, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spans, fmt.Errorf("otlptest: %d spans of %d: %w", len(spans), n, context.Cause(ctx))
		}
	}
}

// Export implements the collector's TraceService. It refuses a request that holds
// anything that OTLP forbids.
func (r *Receiver) Export(
	_ context.Context, request *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	spans, err := decode(request.GetResourceSpans())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, spans...)
	close(r.changed)
	r.changed = make(chan struct{})
	return &collector.ExportTraceServiceResponse{}, nil
}
