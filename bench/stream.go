// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// rawSampled is raw with the SDK's span by hand for each message that is handled.
const rawSampled = "raw-sampled"

// streamSpan is the name of the spans of messages.
const streamSpan = "handle note"

// note is a message on a stream, of about a hundred bytes.
type note = wrapperspb.StringValue

func newNote() *note { return wrapperspb.String(strings.Repeat("waybill ", 12)) }

// The two ends of a stream.
type (
	clientEnd = grpc.GenericClientStream[note, note]
	serverEnd = grpc.GenericServerStream[note, note]
)

// streamRow measures messages on a stream of gRPC, there and back, one after the other.
// On the raw side the stream's own Send and Recv are called. In raw-sampled, each side also
// handles each message that it receives in an equal span by hand, below a parent context that
// was made once. As with the library, the next message is sent within that span.
func streamRow(ratios ...ratio) row {
	return row{
		name: "stream", about: "a message on a gRPC stream, there and back; raw-sampled has the SDK's span by hand",
		size: 1, anew: true, ratios: ratios, variants: streamVariants(echo),
	}
}

// streamFlowRow measures messages in one direction, as many at a time as the stream takes.
// Both sides are always busy, so that nothing hides what a message costs.
func streamFlowRow(ratios ...ratio) row {
	return row{
		name: "stream-flow", about: "messages on a gRPC stream in one direction, many at a time",
		size: 1, anew: true, ratios: ratios, variants: streamVariants(flow),
	}
}

func streamVariants(kind traffic) []variant {
	return []variant{
		{raw, func(int) (*contender, error) { return rawStream(kind, nil) }},
		{oursUntraced, func(int) (*contender, error) { return ourStream(kind, untraced) }},
		{rawSampled, func(int) (*contender, error) { return rawStream(kind, newTelemetry(sampled)) }},
		{oursSampled, func(int) (*contender, error) { return ourStream(kind, sampled) }},
	}
}

// traffic is what goes over a stream.
type traffic int

const (
	echo traffic = iota // the server answers each message
	flow                // the server only counts
)

// spansByHand makes the spans of messages as one would without the library. A nil spansByHand makes none.
type spansByHand struct {
	tracer trace.Tracer
	parent context.Context //nolint:containedctx // It is made once.
	sent   time.Time
}

func newSpansByHand(otel *telemetry) *spansByHand {
	if otel == nil {
		return nil
	}
	parent := trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(otel.ctx))
	return &spansByHand{otel.tracer, parent, time.Now()}
}

// handle calls body, in a span.
func (h *spansByHand) handle(body func() error) error {
	if h == nil {
		return body()
	}
	now := time.Now()
	_, span := h.tracer.Start(h.parent, streamSpan,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(now),
		trace.WithAttributes(
			keys.QueueDuration.Float64(now.Sub(h.sent).Seconds()),
			keys.NetworkDuration.Float64(now.Sub(h.sent).Seconds()),
			keys.ClocksCrossed.Bool(true)))
	defer span.End()
	return body()
}

// rawStream uses the stream as it is. If otel is not nil, it makes spans by hand.
func rawStream(kind traffic, otel *telemetry) (*contender, error) {
	h := newSpansByHand(otel)
	t := newTally()
	client, end, err := newStream(func(s *serverEnd) error {
		var m *note
		answer := func() error { // Made once, so that the hand allocates nothing for it.
			if kind == flow {
				t.take()
				return nil
			}
			return s.Send(m)
		}
		for {
			var err error
			if m, err = s.Recv(); err != nil {
				return inOrder(err)
			}
			if err := h.handle(answer); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return nil, err
	}
	message := newNote()
	return streamContender(kind, t, otel, end, func(times int) error {
		if kind == flow {
			for range times {
				if err := client.Send(message); err != nil {
					return err
				}
			}
			return nil
		}
		left := times
		next := func() error {
			t.n++
			if left--; left == 0 {
				return nil
			}
			return client.Send(message)
		}
		if err := client.Send(message); err != nil {
			return err
		}
		for left > 0 {
			if _, err := client.Recv(); err != nil {
				return err
			}
			if err := h.handle(next); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// ourStream uses the stream through our package.
func ourStream(kind traffic, tr tracing) (*contender, error) {
	otel := newTelemetry(tr)
	with := grpcstream.WithTracerProvider(otel.provider)
	t := newTally()
	client, end, err := newStream(func(s *serverEnd) error {
		r, to := grpcstream.NewReceiver(s, streamSpan, with), grpcstream.NewSender(s)
		for ctx, m := range r.Receive() {
			if kind == flow {
				t.take()
			} else if err := to.Send(ctx, m); err != nil {
				return err
			}
		}
		return r.Err()
	})
	if err != nil {
		return nil, err
	}
	message := newNote()
	r, to := grpcstream.NewReceiver(client, streamSpan, with), grpcstream.NewSender(client)
	return streamContender(kind, t, otel, end, func(times int) error {
		if kind == flow {
			for range times {
				if err := to.Send(otel.ctx, message); err != nil {
					return err
				}
			}
			return nil
		}
		if err := to.Send(otel.ctx, message); err != nil {
			return err
		}
		left := times
		for range r.Receive() {
			t.n++
			if left--; left == 0 {
				return nil
			}
			if err := to.Send(otel.ctx, message); err != nil {
				return err
			}
		}
		return errors.Join(errEffect, r.Err())
	}), nil
}

func streamContender(kind traffic, t *tally, otel *telemetry, end func() error, send func(times int) error) *contender {
	c := &contender{run: send, handled: t.handled, tear: end}
	if kind == flow {
		c.run = func(times int) error {
			t.expect(times)
			if err := send(times); err != nil {
				return err // The messages that were not sent would never be handled.
			}
			t.wait()
			return nil
		}
	}
	if otel == nil {
		return c
	}
	c.traces = otel
	switch {
	case !trace.SpanContextFromContext(otel.ctx).IsSampled():
	case kind == echo:
		c.spans = [2]int{2, 2} // One on each side.
	default:
		c.spans = [2]int{1, 1}
	}
	return c
}

// newStream opens a stream within the process to a server that handles it with handle. end
// ends both, and returns the error of handle.
func newStream(handle func(*serverEnd) error) (client *clientEnd, end func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	handled := make(chan error, 1)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		err := handle(&serverEnd{ServerStream: s})
		handled <- err
		return err
	}))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, err
	}
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := conn.NewStream(context.Background(), both, "/bench/stream")
	if err != nil {
		return nil, nil, err
	}
	return &clientEnd{ClientStream: stream}, func() error {
		err := errors.Join(stream.CloseSend(), <-handled, conn.Close())
		server.Stop()
		return errors.Join(err, <-served)
	}, nil
}

// inOrder returns nil if the peer has ended the stream in order, and err if not.
func inOrder(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
