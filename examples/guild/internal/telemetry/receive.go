// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

// Receiver takes the spans of other processes of this machine, which export to its
// [Collector].
type Receiver struct {
	collector Collector
	server    *grpc.Server
	serving   sync.WaitGroup
}

// Receive begins to receive, on a free port of the loopback interface, which every user of
// the machine reaches. So exporters show a token, new each time. take gets the spans of each
// request, from one goroutine at a time; warn gets a line when one is refused, for instance.
func Receive(ctx context.Context, take func([]sdktrace.ReadOnlySpan), warn func(string)) (*Receiver, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("receive spans: %w", err)
	}
	r := &Receiver{collector: Collector{Addr: listener.Addr().String(), Token: rand.Text()}}
	r.server = otlpreceive.New(take, func(line string) { warn(Printable(line)) }).
		GRPC(grpc.StreamInterceptor(r.collector.ask))
	r.serving.Go(func() {
		if err := r.server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			warn(fmt.Sprintf("spans of other processes are no longer received: %v", err))
		}
	})
	return r, nil
}

// Collector returns what exporters need to know.
func (r *Receiver) Collector() Collector { return r.collector }

// Close ends it, with the requests that have begun.
func (r *Receiver) Close() {
	r.server.Stop()
	r.serving.Wait()
}

// ask refuses requests that do not show the token.
func (c Collector) ask(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	shown := metadata.ValueFromIncomingContext(stream.Context(), tokenHeader)
	if len(shown) != 1 || subtle.ConstantTimeCompare([]byte(shown[0]), []byte(c.header())) != 1 {
		return status.Error(codes.Unauthenticated, "this is for the nodes of the example alone")
	}
	return handle(service, stream)
}
