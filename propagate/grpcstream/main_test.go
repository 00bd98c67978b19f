// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-go/waybill/internal/envelopetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	spanContext    = envelopetest.SpanContext
	sampledContext = envelopetest.SampledContext
	newProvider    = envelopetest.NewProvider
)

// note is the message of most tests.
type note = wrapperspb.StringValue

func text(s string) *note { return wrapperspb.String(s) }

// peer has what connects the two sides of a test.
type peer struct {
	server []grpc.ServerOption
	dial   []grpc.DialOption
	call   []grpc.CallOption
}

// connect returns a client's stream in both directions to a server that handles it with
// handle. The types of the messages are the client's Out and In. The test ends with the
// stream.
func connect[Out, In any](
	t testing.TB, ctx context.Context, p peer, handle func(*grpc.GenericServerStream[Out, In]) error,
) *grpc.GenericClientStream[Out, In] {
	t.Helper()
	conn := listen(t, p, func(_ any, stream grpc.ServerStream) error {
		return handle(&grpc.GenericServerStream[Out, In]{ServerStream: stream})
	})
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test/stream", p.call...)
	require.NoError(t, err)
	return &grpc.GenericClientStream[Out, In]{ClientStream: stream}
}

// listen returns a connection to a server that handles every stream with handle.
func listen(t testing.TB, p peer, handle grpc.StreamHandler) *grpc.ClientConn {
	t.Helper()
	p.server = append(p.server, grpc.UnknownServiceHandler(handle))
	return p.listen(t, func(*grpc.Server) {})
}

// listenFor returns a connection to a server with the services that register registers.
func listenFor(t testing.TB, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	return peer{}.listen(t, register)
}

func (p peer) listen(t testing.TB, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(p.server...)
	register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:test", append(p.dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		server.Stop()
		assert.NoError(t, <-served)
	})
	return conn
}

var errEnd = io.EOF

func marshal(m any) ([]byte, error)           { return proto.Marshal(m.(proto.Message)) }
func unmarshal(data []byte, into *note) error { return proto.Unmarshal(data, into) }
