// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// What the page on streams shows.

type work struct {
	ctx    context.Context
	change *note
}

func sendAll(stream grpcstream.SendStream[note], pending <-chan work) error {
	// streams: send
	changes := grpcstream.NewSender(stream)
	for p := range pending {
		if err := changes.Send(p.ctx, p.change); err != nil { // was: stream.Send(p.change)
			return err
		}
	}
	// streams: end
	return nil
}

func receiveAll(stream grpcstream.RecvStream[note], apply func(context.Context, *note)) error {
	// streams: receive
	changes := grpcstream.NewReceiver(stream, "apply change")
	for ctx, change := range changes.Receive() { // was: a loop around stream.Recv()
		apply(ctx, change)
	}
	return changes.Err()
	// streams: end
}

func toPool(stream grpcstream.RecvStream[note], pool chan<- envelope.Envelope[*note]) error {
	changes := grpcstream.NewReceiver(stream, "apply change")
	// streams: pool
	for {
		change, err := changes.Recv()
		if err != nil {
			return changes.Err()
		}
		pool <- change // chan envelope.Envelope[*pb.Change]
	}
	// streams: end
}

func pushTo(ctx context.Context, events *fanout.Fanout, subscribers []*grpcstream.Sender[note], event *note) error {
	// streams: encode
	encoded, err := grpcstream.Encode(event)
	if err != nil {
		return err
	}
	b := events.Begin(ctx, len(subscribers)) // events is a fanout.Fanout, made once
	for _, subscriber := range subscribers { // each a grpcstream.Sender
		if err := subscriber.SendEncoded(encoded, b.Next()); err != nil {
			b.Refuse("broken") // Its stream has ended. The others go on.
		}
	}
	b.End()
	// streams: end
	return nil
}

func renewed(provider trace.TracerProvider) *grpc.Server {
	// streams: renew
	server := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(grpcstream.RenewSpans(provider, time.Hour)),
	)))
	// streams: end
	return server
}

func fromStrangers(stream grpcstream.RecvStream[note], boundary propagate.Boundary) *grpcstream.Receiver[note] {
	// streams: boundary
	posts := grpcstream.NewReceiver(stream, "handle post", grpcstream.WithBoundary(boundary))
	// streams: end
	return posts
}

func TestThePageWorks(t *testing.T) {
	p := &pipe{messages: messages[note]{ctx: t.Context(), end: io.EOF}}
	fill := func(texts ...string) {
		pending := make(chan work, len(texts))
		for _, s := range texts {
			pending <- work{sampledContext(t), text(s)}
		}
		close(pending)
		require.NoError(t, sendAll(p, pending))
	}
	fill("one", "two")
	applied := 0
	require.NoError(t, receiveAll(p, func(ctx context.Context, _ *note) {
		assert.True(t, trace.SpanContextFromContext(ctx).IsSampled())
		applied++
	}))
	assert.Equal(t, 2, applied)

	fill("three", "four")
	pool := make(chan envelope.Envelope[*note], 2)
	require.NoError(t, toPool(p, pool))
	assert.Equal(t, "three", (<-pool).Message().Value)
	assert.True(t, (<-pool).Header().Sampled())

	events, err := fanout.New("events")
	require.NoError(t, err)
	to := grpcstream.NewSender(p)
	require.NoError(t, pushTo(t.Context(), events, []*grpcstream.Sender[note]{to, to}, text("five")))
	e, err := fromStrangers(p, propagate.Boundary{}).Recv()
	require.NoError(t, err)
	assert.Equal(t, "five", e.Message().Value)

	provider, _ := newProvider(t)
	renewed(provider).Stop()
}
