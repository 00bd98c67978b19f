// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// still is a stream that does nothing: it always has the same message.
type still struct {
	ctx     context.Context
	message *note
	left    int
}

func (s *still) Context() context.Context { return s.ctx }
func (*still) Send(*note) error           { return nil }
func (*still) SendMsg(any) error          { return nil }
func (s *still) Recv() (*note, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	s.left--
	return s.message, nil
}

// An untraced message allocates nothing that the stream does not.
func TestUntracedAllocatesNothing(t *testing.T) {
	s := &still{ctx: context.Background(), message: text("hello")}
	to := grpcstream.NewSender(s)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = to.Send(context.Background(), s.message) }))

	r := grpcstream.NewReceiver(s, "handle")
	s.left = 1
	for range r.Receive() { // The first message of a stream makes its context.
	}
	const many = 100
	assert.Less(t, testing.AllocsPerRun(10, func() {
		s.left = many
		for range r.Receive() {
		}
	}), many/10.0)
}

// A traced message takes one allocation more to send than an untraced one, its wrapper, and
// one more to receive than the same span by hand.
func TestTracedAllocatesLittle(t *testing.T) {
	traced := trace.ContextWithSpanContext(context.Background(), spanContext(1))
	s, message := new(encoder), text("hello")
	to := grpcstream.NewSender(s)
	assert.InDelta(t, 1, testing.AllocsPerRun(1000, func() { _ = to.Send(traced, message) }), 0)

	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()))
	from := &decoder{context.Background(), s.buffer}
	r := grpcstream.NewReceiver(from, "handle", grpcstream.WithTracerProvider(provider))
	const many = 1000
	library := testing.AllocsPerRun(1, func() {
		left := many
		for range r.Receive() {
			if left--; left == 0 {
				break
			}
		}
	}) / many

	data, err := proto.Marshal(message)
	require.NoError(t, err)
	plain, tracer := &decoder{context.Background(), data}, provider.Tracer("test")
	hand := testing.AllocsPerRun(many, func() { handleByHand(traced, t, plain, tracer) })
	assert.InDelta(t, hand+1, library, 0.2)
}
