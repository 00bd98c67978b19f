// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// codec makes a codec of two functions.
type codec struct {
	marshal   func(v any) ([]byte, error)
	unmarshal func(data []byte, v any) error
}

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	data, err := c.marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	return c.unmarshal(data.Materialize(), v)
}
func (codec) Name() string { return "proto" }

var errNoVT = errors.New("missing vtprotobuf helpers")

// vtNote has the methods that vtprotobuf generates.
type vtNote struct {
	wrapperspb.StringValue

	calls int
}

func (n *vtNote) MarshalVT() ([]byte, error)    { return proto.Marshal(&n.StringValue) }
func (n *vtNote) UnmarshalVT(data []byte) error { return proto.Unmarshal(data, &n.StringValue) }

// vtCodec takes messages of vtprotobuf alone, as the codec of that project does.
var vtCodec = codec{
	func(v any) ([]byte, error) {
		m, ok := v.(interface{ MarshalVT() ([]byte, error) })
		if !ok {
			return nil, fmt.Errorf("%T: %w", v, errNoVT)
		}
		return m.MarshalVT()
	},
	func(data []byte, v any) error {
		m, ok := v.(interface{ UnmarshalVT([]byte) error })
		if !ok {
			return fmt.Errorf("%T: %w", v, errNoVT)
		}
		return m.UnmarshalVT(data)
	},
}

// losingCodec reads as a decoder does that keeps nothing that it does not know.
var losingCodec = codec{
	func(v any) ([]byte, error) { return proto.Marshal(v.(proto.Message)) },
	func(data []byte, v any) error {
		return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, v.(proto.Message))
	},
}

// jsonCodec writes another encoding under the name of this one.
var jsonCodec = codec{
	func(v any) ([]byte, error) { return protojson.Marshal(v.(proto.Message)) },
	func(data []byte, v any) error { return protojson.Unmarshal(data, v.(proto.Message)) },
}

// plainCodec writes what encoding/json does.
var plainCodec = codec{json.Marshal, json.Unmarshal}

func forced(c encoding.CodecV2) peer {
	return peer{
		server: []grpc.ServerOption{grpc.ForceServerCodecV2(c)},
		call:   []grpc.CallOption{grpc.ForceCodecV2(c)},
	}
}

// pass sends a traced message through a stream with that codec, and returns what arrived.
func pass[M any](t *testing.T, c encoding.CodecV2, message *M, counters *grpcstream.Counters) envelope.Envelope[*M] {
	t.Helper()
	client := connect(t, t.Context(), forced(c), func(stream *grpc.GenericServerStream[M, M]) error {
		to := grpcstream.NewSender(stream, grpcstream.WithCounters(counters))
		return to.Send(sampledContext(t), message)
	})
	return only(t, client, counters)
}

// only returns the one message of a stream, when the server's handler has returned: what
// it sent is counted then.
func only[Out, In any](
	t *testing.T, client *grpc.GenericClientStream[Out, In], counters *grpcstream.Counters,
) envelope.Envelope[*In] {
	t.Helper()
	e, err := grpcstream.NewReceiver(client, "handle", grpcstream.WithCounters(counters)).Recv()
	require.NoError(t, err)
	_, err = client.Recv()
	require.ErrorIs(t, err, io.EOF)
	return e
}

// No codec loses a message, and none loses a trace in silence.
func TestCodecs(t *testing.T) {
	type counts = grpcstream.Counts
	t.Run("vtprotobuf", func(t *testing.T) {
		var counters grpcstream.Counters
		message := &vtNote{calls: 1}
		message.Value = "hello"
		e := pass(t, vtCodec, message, &counters)
		assert.Equal(t, "hello", e.Message().Value)
		assert.True(t, e.Header().Sampled())
		assert.Equal(t, counts{SentWrapped: 1, Wrapped: 1}, counters.Counts())
	})
	t.Run("another encoding", func(t *testing.T) {
		var counters grpcstream.Counters
		e := pass(t, jsonCodec, text("hello"), &counters)
		assert.Equal(t, "hello", e.Message().Value)
		assert.Nil(t, e.Header())
		assert.Equal(t, counts{SentBare: 1, NotWritten: 1, Bare: 1}, counters.Counts())
	})
	t.Run("encoding/json", func(t *testing.T) {
		var counters grpcstream.Counters
		e := pass(t, plainCodec, text("hello"), &counters)
		assert.Equal(t, "hello", e.Message().Value)
		assert.Equal(t, counts{SentBare: 1, NotWritten: 1, Bare: 1}, counters.Counts())
	})
	t.Run("no message of protocol buffers", func(t *testing.T) {
		var counters grpcstream.Counters
		e := pass(t, plainCodec, &struct{ Text string }{"hello"}, &counters)
		assert.Equal(t, "hello", e.Message().Text)
		assert.Equal(t, counts{SentBare: 1, NotWritten: 1, Bare: 1, NotReadable: 1}, counters.Counts())
	})
	t.Run("encoded, no message of protocol buffers", func(t *testing.T) {
		type plain = struct{ Text string }
		e, err := grpcstream.Encode(&plain{"hello"})
		require.NoError(t, err)
		client := connect(t, t.Context(), forced(plainCodec), func(stream *grpc.GenericServerStream[plain, plain]) error {
			return grpcstream.NewSender(stream).SendEncoded(e, envelope.NewHeader(sampledContext(t)))
		})
		m, err := client.Recv()
		require.NoError(t, err)
		assert.Equal(t, "hello", m.Text)
	})
}

// register makes c the codec of gRPC until the test ends.
func register(t *testing.T, c encoding.CodecV2) {
	t.Helper()
	before := encoding.GetCodecV2(grpcproto.Name)
	encoding.RegisterCodecV2(c)
	t.Cleanup(func() { encoding.RegisterCodecV2(before) })
}

type panicking struct{ encoding.CodecV2 }

func (panicking) Marshal(any) (mem.BufferSlice, error) { panic("out of order") }
func (panicking) Name() string                         { return "proto" }

type codecV1 struct{}

func (codecV1) Marshal(v any) ([]byte, error)      { return proto.Marshal(v.(proto.Message)) }
func (codecV1) Unmarshal(data []byte, v any) error { return proto.Unmarshal(data, v.(proto.Message)) }
func (codecV1) Name() string                       { return "proto" }

func TestCheck(t *testing.T) {
	assert.NoError(t, grpcstream.Check[note]())
	assert.NoError(t, grpcstream.Check[vtNote]())
	assert.ErrorContains(t, grpcstream.Check[string](), "is no proto.Message")
	for name, tt := range map[string]struct {
		codec encoding.CodecV2
		says  string
	}{
		"vtprotobuf":       {vtCodec, "missing vtprotobuf helpers"},
		"losing":           {losingCodec, "loses fields that it does not know"},
		"another encoding": {jsonCodec, "does not write fields that it does not know"},
		"panicking":        {panicking{}, "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			register(t, tt.codec)
			err := grpcstream.Check[note]()
			assert.ErrorIs(t, err, grpcstream.ErrNotCarried)
			assert.ErrorContains(t, err, tt.says)
		})
	}
	t.Run("of the first kind", func(t *testing.T) {
		before := encoding.GetCodecV2(grpcproto.Name)
		encoding.RegisterCodec(codecV1{})
		t.Cleanup(func() { encoding.RegisterCodecV2(before) })
		assert.NoError(t, grpcstream.Check[note]())
	})
}

// Each receiver finds out that the registered codec loses traces.
func TestALosingCodecIsDetected(t *testing.T) {
	register(t, losingCodec)
	var counters grpcstream.Counters
	type fresh struct{ wrapperspb.Int32Value } // What is known of a type is kept.
	client := connect(t, t.Context(), peer{}, func(stream *grpc.GenericServerStream[fresh, fresh]) error {
		return grpcstream.NewSender(stream, grpcstream.WithCounters(&counters)).Send(sampledContext(t), new(fresh))
	})
	e := only(t, client, &counters)
	assert.Nil(t, e.Header())
	assert.Equal(t, grpcstream.Counts{SentWrapped: 1, Bare: 1, NotReadable: 1}, counters.Counts())
}

// What others see of a message on its way is the message: interceptors that log, check or
// copy it.
func TestInterceptorsSeeTheMessage(t *testing.T) {
	var counters grpcstream.Counters
	seen := make(chan proto.Message, 1)
	p := peer{server: []grpc.ServerOption{grpc.StreamInterceptor(
		func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			return handler(srv, intercepting{stream, seen})
		})}}
	client := connect(t, t.Context(), p, func(stream *grpc.GenericServerStream[note, note]) error {
		return grpcstream.NewSender(stream, grpcstream.WithCounters(&counters)).Send(sampledContext(t), text("hello"))
	})
	e := only(t, client, &counters)
	assert.Equal(t, spanContext(1).TraceID(), e.Header().SpanContext().TraceID(), "a copy has the trace too")
	assert.EqualValues(t, 1, counters.Counts().SentWrapped)

	m := <-seen
	assert.Equal(t, new(note).ProtoReflect().Descriptor(), m.ProtoReflect().Descriptor())
	assert.IsType(t, new(note), m.ProtoReflect().Interface())
	assert.Contains(t, fmt.Sprint(m), "hello")
	assert.Contains(t, prototext.Format(m), "hello")
	assert.NoError(t, proto.CheckInitialized(m))
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(t, err)
	assert.Len(t, data, proto.Size(m))
}

// intercepting sends copies of messages.
type intercepting struct {
	grpc.ServerStream

	seen chan<- proto.Message
}

func (s intercepting) SendMsg(m any) error {
	s.seen <- m.(proto.Message)
	return s.ServerStream.SendMsg(proto.Clone(m.(proto.Message)))
}
