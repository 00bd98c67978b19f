// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// received is what a handler has seen of a message.
type received struct {
	text    string
	span    trace.SpanContext
	baggage string
	unknown int
}

// collect receives all messages of a stream.
func collect(r *grpcstream.Receiver[note]) (all []received) {
	for ctx, message := range r.Receive() {
		all = append(all, received{
			message.Value, trace.SpanContextFromContext(ctx),
			baggage.FromContext(ctx).Member("customer").Value(), len(message.ProtoReflect().GetUnknown()),
		})
	}
	return all
}

// Traces travel in both directions of a stream, with each message its own, compressed or
// not, and whatever the trace of the stream is.
func TestEachMessageHasItsTrace(t *testing.T) {
	for name, p := range map[string]peer{
		"plain":      {},
		"compressed": {call: []grpc.CallOption{grpc.UseCompressor("gzip")}},
	} {
		t.Run(name, func(t *testing.T) {
			provider, spans := newProvider(t)
			counters := new(grpcstream.Counters)
			opts := []grpcstream.Option{grpcstream.WithTracerProvider(provider), grpcstream.WithCounters(counters)}
			contexts := func() []context.Context {
				other := spanContext(trace.FlagsSampled).WithTraceID(trace.TraceID{7})
				return []context.Context{
					sampledContext(t),
					t.Context(),
					envelopetest.WithBaggage(t, trace.ContextWithSpanContext(t.Context(), other), "acme"),
					envelopetest.WithBaggage(t, t.Context(), "umbrella"),
					envelopetest.UnsampledContext(t),
				}
			}
			texts := []string{"one", "two", "three", "four", ""}
			send := func(to *grpcstream.Sender[note]) {
				for i, ctx := range contexts() {
					assert.NoError(t, to.Send(ctx, text(texts[i])))
				}
			}
			var atServer []received
			client := connect(t, sampledContext(t), p, func(stream *grpc.GenericServerStream[note, note]) error {
				r := grpcstream.NewReceiver(stream, "at server", opts...)
				atServer = collect(r)
				send(grpcstream.NewSender(stream, opts...))
				return r.Err()
			})
			send(grpcstream.NewSender(client, opts...))
			require.NoError(t, client.CloseSend())
			r := grpcstream.NewReceiver(client, "at client", opts...)
			atClient := collect(r)
			require.NoError(t, r.Err())

			for side, all := range map[string][]received{"at server": atServer, "at client": atClient} {
				require.Len(t, all, 5, side)
				for i, m := range all {
					assert.Equal(t, texts[i], m.text)
					assert.Zero(t, m.unknown, "the field is taken out")
				}
				assert.Equal(t, spanContext(1).TraceID(), all[0].span.TraceID())
				assert.True(t, envelope.IsSentinel(all[1].span))
				assert.Equal(t, trace.TraceID{7}, all[2].span.TraceID())
				assert.Equal(t, "acme", all[2].baggage)
				assert.True(t, envelope.IsSentinel(all[3].span))
				assert.Equal(t, "umbrella", all[3].baggage)
				assert.True(t, envelope.IsSentinel(all[4].span))
			}
			require.Len(t, spans.Ended(), 4)
			for _, span := range spans.Ended() {
				assert.Equal(t, trace.SpanKindConsumer, span.SpanKind())
				assert.Equal(t, spanContext(1).SpanID(), span.Parent().SpanID(), "below the sender's span")
				assert.True(t, span.Parent().IsRemote())
				waits := attributes(span.Attributes())
				assert.GreaterOrEqual(t, waits["waybill.queue.duration"].AsFloat64(), 0.0)
				assert.GreaterOrEqual(t, waits["waybill.network.duration"].AsFloat64(), 0.0)
				assert.True(t, waits["waybill.clocks.crossed"].AsBool())
			}
			assert.Equal(t, grpcstream.Counts{SentBare: 4, SentWrapped: 6, Bare: 4, Wrapped: 6}, counters.Counts())
		})
	}
}

func attributes(list []attribute.KeyValue) map[string]attribute.Value {
	m := map[string]attribute.Value{}
	for _, a := range list {
		m[string(a.Key)] = a.Value
	}
	return m
}

// The span of the stream is linked, and is no parent.
func TestTheStreamsSpanIsLinked(t *testing.T) {
	provider, spans := newProvider(t)
	streamCtx, streamSpan := provider.Tracer("test").Start(t.Context(), "stream")
	client := connect(t, streamCtx, peer{}, func(stream *grpc.GenericServerStream[note, note]) error {
		return grpcstream.NewSender(stream).Send(sampledContext(t), text("hello"))
	})
	for range grpcstream.NewReceiver(client, "handle", grpcstream.WithTracerProvider(provider)).Receive() {
	}
	require.Len(t, spans.Ended(), 1)
	span := spans.Ended()[0]
	assert.Equal(t, spanContext(1).TraceID(), span.Parent().TraceID())
	require.Len(t, span.Links(), 1)
	assert.Equal(t, streamSpan.SpanContext(), span.Links()[0].SpanContext)
	assert.Equal(t, "stream", span.Links()[0].Attributes[0].Value.AsString())
}

// An old peer sees the message and passes over the field, in both directions.
func TestAPeerWithoutTheLibrary(t *testing.T) {
	counters := new(grpcstream.Counters)
	client := connect(t, t.Context(), peer{}, func(stream *grpc.GenericServerStream[note, note]) error {
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := stream.Send(text(m.Value + " back")); err != nil {
				return err
			}
		}
	})
	to := grpcstream.NewSender(client, grpcstream.WithCounters(counters))
	require.NoError(t, to.Send(sampledContext(t), text("hello")))
	require.NoError(t, client.CloseSend())
	all := collect(grpcstream.NewReceiver(client, "handle", grpcstream.WithCounters(counters)))
	require.Len(t, all, 1)
	assert.Equal(t, "hello back", all[0].text)
	assert.Equal(t, grpcstream.Counts{SentWrapped: 1, Bare: 1}, counters.Counts())
}

// forward passes messages on to the client: by how, after they were received by a plain
// Recv, which leaves the field in them.
func forwarded(t *testing.T, how func(stream *grpc.GenericServerStream[note, note], m *note) error) *note {
	t.Helper()
	client := connect(t, t.Context(), peer{}, func(stream *grpc.GenericServerStream[note, note]) error {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		before := proto.CloneOf(m)
		assert.NotEmpty(t, m.ProtoReflect().GetUnknown(), "or the test shows nothing")
		err = how(stream, m)
		assert.True(t, proto.Equal(before, m), "the message is not changed")
		return err
	})
	require.NoError(t, grpcstream.NewSender(client).Send(sampledContext(t), text("hello")))
	require.NoError(t, client.CloseSend())
	m, err := client.Recv()
	require.NoError(t, err)
	assert.Equal(t, "hello", m.Value)
	return m
}

func TestForwardedMessagesHaveNoStaleTrace(t *testing.T) {
	other := trace.ContextWithSpanContext(t.Context(), spanContext(1).WithTraceID(trace.TraceID{7}))
	type stream = grpc.GenericServerStream[note, note]
	for name, tt := range map[string]struct {
		how  func(s *stream, m *note) error
		want trace.TraceID
	}{
		"as it is, the trace goes on": {
			func(s *stream, m *note) error { return s.Send(m) }, spanContext(1).TraceID(),
		},
		"with another trace": {
			func(s *stream, m *note) error { return grpcstream.NewSender(s).Send(other, m) }, trace.TraceID{7},
		},
		"without a trace": {
			func(s *stream, m *note) error { return grpcstream.NewSender(s).Send(t.Context(), m) }, trace.TraceID{},
		},
		"encoded, with another trace": {
			func(s *stream, m *note) error {
				e, err := grpcstream.Encode(m)
				require.NoError(t, err)
				return grpcstream.NewSender(s).SendEncoded(e, envelope.NewHeader(other))
			}, trace.TraceID{7},
		},
		"encoded, without a trace": {
			func(s *stream, m *note) error {
				e, err := grpcstream.Encode(m)
				require.NoError(t, err)
				return grpcstream.NewSender(s).SendEncoded(e, nil)
			}, trace.TraceID{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := forwarded(t, tt.how)
			counters := new(grpcstream.Counters)
			e, err := grpcstream.NewReceiver(one(t, m), "handle", grpcstream.WithCounters(counters)).Recv()
			require.NoError(t, err)
			assert.Equal(t, tt.want, e.Header().SpanContext().TraceID())
			assert.Zero(t, counters.Counts().Malformed, "there is one field")
			assert.Empty(t, m.ProtoReflect().GetUnknown())
		})
	}
}

// messages is a stream that has some messages.
type messages[M any] struct {
	ctx  context.Context
	left []*M
	end  error
}

// one returns a stream with one message.
func one[M any](t *testing.T, m *M) *messages[M] { return &messages[M]{t.Context(), []*M{m}, io.EOF} }

func (s *messages[M]) Context() context.Context { return s.ctx }

func (s *messages[M]) Recv() (*M, error) {
	if len(s.left) == 0 {
		return nil, s.end
	}
	m := s.left[0]
	s.left = s.left[1:]
	return m, nil
}

// How a stream ends can be told apart.
func TestTheEndOfAStream(t *testing.T) {
	refused := status.Error(codes.PermissionDenied, "no")
	for name, tt := range map[string]struct {
		handle func(*grpc.GenericServerStream[note, note]) error
		cancel bool
		is     error
		code   codes.Code
	}{
		"in order":             {func(*grpc.GenericServerStream[note, note]) error { return nil }, false, nil, codes.OK},
		"error":                {func(*grpc.GenericServerStream[note, note]) error { return refused }, false, refused, codes.PermissionDenied},
		"cancelled":            {waitForEnd, true, context.Canceled, codes.Canceled},
		"the deadline of both": {func(*grpc.GenericServerStream[note, note]) error { return context.DeadlineExceeded }, false, context.DeadlineExceeded, codes.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			client := connect(t, ctx, peer{}, tt.handle)
			r := grpcstream.NewReceiver(client, "handle")
			require.NoError(t, r.Err(), "it has not ended")
			if tt.cancel {
				cancel()
			}
			for range r.Receive() {
				t.Error("there is no message")
			}
			assert.Equal(t, tt.code, status.Code(r.Err()))
			if tt.is != nil {
				assert.ErrorIs(t, r.Err(), tt.is)
			} else {
				assert.NoError(t, r.Err())
			}
		})
	}
}

func waitForEnd(stream *grpc.GenericServerStream[note, note]) error {
	<-stream.Context().Done()
	return nil
}

// A body that breaks off leaves the rest for later.
func TestABodyMayBreakOff(t *testing.T) {
	r := grpcstream.NewReceiver(&messages[note]{t.Context(), []*note{text("one"), text("two")}, io.EOF}, "handle")
	for _, m := range r.Receive() {
		assert.Equal(t, "one", m.Value)
		break
	}
	require.NoError(t, r.Err())
	assert.Len(t, collect(r), 1)
	require.NoError(t, r.Err())
	_, err := r.Recv()
	assert.ErrorIs(t, err, io.EOF, "as the stream's own Recv")
}
