// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// encoder is a stream that encodes what is sent, as gRPC does, and sends it nowhere.
type encoder struct{ buffer []byte }

func (e *encoder) Send(m *note) error { return e.SendMsg(m) }
func (e *encoder) SendMsg(m any) (err error) {
	size := proto.Size(m.(proto.Message))
	if cap(e.buffer) < size {
		e.buffer = make([]byte, 0, size)
	}
	e.buffer, err = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(e.buffer[:0], m.(proto.Message))
	return err
}

// decoder is a stream that decodes the same message again and again.
type decoder struct {
	ctx  context.Context
	data []byte
}

func (d *decoder) Context() context.Context { return d.ctx }
func (d *decoder) Recv() (*note, error) {
	m := new(note)
	return m, proto.Unmarshal(d.data, m)
}

func BenchmarkSend(b *testing.B) {
	for name, ctx := range map[string]context.Context{
		"untraced": context.Background(),
		"traced":   trace.ContextWithSpanContext(context.Background(), spanContext(1)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := new(encoder)
			to, message := grpcstream.NewSender(s), text("hello")
			for b.Loop() {
				if err := to.Send(ctx, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		s, message := new(encoder), text("hello")
		for b.Loop() {
			if err := s.Send(message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()))
	for name, ctx := range map[string]context.Context{
		"untraced": context.Background(),
		"traced":   trace.ContextWithSpanContext(context.Background(), spanContext(1)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := new(encoder)
			require.NoError(b, grpcstream.NewSender(s).Send(ctx, text("hello")))
			r := grpcstream.NewReceiver(&decoder{context.Background(), s.buffer}, "handle", grpcstream.WithTracerProvider(provider))
			for range r.Receive() {
				if !b.Loop() {
					break
				}
			}
		})
	}
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		data, err := proto.Marshal(text("hello"))
		require.NoError(b, err)
		s := &decoder{context.Background(), data}
		for b.Loop() {
			if _, err := s.Recv(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain with a span", func(b *testing.B) {
		b.ReportAllocs()
		data, err := proto.Marshal(text("hello"))
		require.NoError(b, err)
		s := &decoder{context.Background(), data}
		tracer := provider.Tracer("bench")
		parent := trace.ContextWithSpanContext(context.Background(), spanContext(1))
		for b.Loop() {
			handleByHand(parent, b, s, tracer)
		}
	})
}

// handleByHand receives a message, and handles it in the span that a [grpcstream.Receiver] would
// make.
func handleByHand(parent context.Context, t require.TestingT, s *decoder, tracer trace.Tracer) {
	_, err := s.Recv()
	require.NoError(t, err)
	_, span := tracer.Start(parent, "handle", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(time.Now()), trace.WithAttributes(
			attribute.Float64("waybill.queue.duration", 1), attribute.Float64("waybill.network.duration", 1),
			attribute.Bool("waybill.clocks.crossed", true)))
	span.End()
}
