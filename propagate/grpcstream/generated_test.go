// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// service has a stream of each kind, with the types that protoc generates.
type service struct {
	pb.UnimplementedTestServiceServer

	t *testing.T
}

func payload(s string) *pb.Payload { return &pb.Payload{Body: []byte(s)} }

func (s service) StreamingOutputCall(
	_ *pb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[pb.StreamingOutputCallResponse],
) error {
	return grpcstream.NewSender(stream).Send(sampledContext(s.t), &pb.StreamingOutputCallResponse{Payload: payload("down")})
}

func (s service) StreamingInputCall(
	stream grpc.ClientStreamingServer[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse],
) error {
	sum := int32(0)
	r := grpcstream.NewReceiver(stream, "handle")
	for {
		e, err := r.Recv()
		if err != nil {
			break
		}
		assert.True(s.t, e.Header().Sampled())
		sum += int32(len(e.Message().GetPayload().GetBody()))
	}
	if err := r.Err(); err != nil {
		return err
	}
	return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: sum})
}

func (s service) FullDuplexCall(
	stream grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse],
) error {
	r, to := grpcstream.NewReceiver(stream, "handle"), grpcstream.NewSender(stream)
	for ctx, m := range r.Receive() {
		if err := to.Send(ctx, &pb.StreamingOutputCallResponse{Payload: m.GetPayload()}); err != nil {
			return err
		}
	}
	return r.Err()
}

// The types of messages follow from generated types of streams, of every kind.
func TestGeneratedStreams(t *testing.T) {
	client := pb.NewTestServiceClient(listenFor(t, func(s *grpc.Server) { pb.RegisterTestServiceServer(s, service{t: t}) }))
	receive := func(t *testing.T, stream grpcstream.RecvStream[pb.StreamingOutputCallResponse], want string) {
		e, err := grpcstream.NewReceiver(stream, "handle").Recv()
		require.NoError(t, err)
		assert.Equal(t, want, string(e.Message().GetPayload().GetBody()))
		assert.Equal(t, spanContext(1).TraceID(), e.Header().SpanContext().TraceID())
	}
	t.Run("server", func(t *testing.T) {
		stream, err := client.StreamingOutputCall(t.Context(), &pb.StreamingOutputCallRequest{})
		require.NoError(t, err)
		receive(t, stream, "down")
	})
	t.Run("client", func(t *testing.T) {
		stream, err := client.StreamingInputCall(t.Context())
		require.NoError(t, err)
		to := grpcstream.NewSender(stream)
		require.NoError(t, to.Send(sampledContext(t), &pb.StreamingInputCallRequest{Payload: payload("up")}))
		require.NoError(t, to.SendEnvelope(envelope.Wrap(sampledContext(t), &pb.StreamingInputCallRequest{Payload: payload("up again")})))
		answer, err := stream.CloseAndRecv()
		require.NoError(t, err)
		assert.EqualValues(t, len("up")+len("up again"), answer.GetAggregatedPayloadSize())
	})
	t.Run("both", func(t *testing.T) {
		stream, err := client.FullDuplexCall(t.Context())
		require.NoError(t, err)
		require.NoError(t, grpcstream.NewSender(stream).Send(sampledContext(t), &pb.StreamingOutputCallRequest{Payload: payload("there")}))
		receive(t, stream, "there")
		require.NoError(t, stream.CloseSend())
	})
}
