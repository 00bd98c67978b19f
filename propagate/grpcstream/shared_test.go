// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// One message goes out on many streams at the same time, each time with another trace or
// none, by all ways of sending. Nobody changes it, and each stream gets its own trace.
func TestManyStreamsShareAMessage(t *testing.T) {
	const streams, rounds = 16, 20
	shared := with(protowireField)
	before := proto.CloneOf(shared)
	encoded, err := grpcstream.Encode(shared)
	require.NoError(t, err)
	id := func(stream, round, way int) trace.TraceID {
		return trace.TraceID{1, byte(stream), byte(round), byte(way)}
	}

	conn := listen(t, peer{}, func(_ any, stream grpc.ServerStream) error {
		s := &grpc.GenericServerStream[note, note]{ServerStream: stream}
		first, err := s.Recv() // It says which stream this is.
		if err != nil {
			return err
		}
		to := grpcstream.NewSender(s)
		for round := range rounds {
			h := func(way int) *envelope.Header {
				sc := spanContext(1).WithTraceID(id(int(first.Value[0]), round, way))
				return envelope.NewHeader(trace.ContextWithSpanContext(t.Context(), sc))
			}
			for _, err := range []error{
				to.SendEnvelope(envelope.New(shared, h(0))),
				to.Send(t.Context(), shared),
				to.SendEncoded(encoded, h(2)),
				to.SendEncoded(encoded, nil),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for number := range streams {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test/stream")
		require.NoError(t, err)
		client := &grpc.GenericClientStream[note, note]{ClientStream: stream}
		require.NoError(t, client.Send(text(string(rune(number)))))
		wg.Go(func() {
			r := grpcstream.NewReceiver(client, "handle")
			for round := range rounds {
				for way := range 4 {
					e, err := r.Recv()
					if !assert.NoError(t, err) {
						return
					}
					assert.True(t, proto.Equal(before, e.Message()))
					if way%2 == 1 {
						assert.Nil(t, e.Header())
						continue
					}
					assert.Equal(t, id(number, round, way), e.Header().SpanContext().TraceID())
				}
			}
		})
	}
	wg.Wait()
	assert.True(t, proto.Equal(before, shared))
}

// protowireField is a field that no version of note has.
var protowireField = []byte{0xf8, 0x01, 0x05}
