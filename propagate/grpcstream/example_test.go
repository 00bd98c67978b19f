// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate/grpcstream"
)

// newStreams returns both ends of a stream of notes. A program has them from gRPC.
func newStreams(ctx context.Context) (grpcstream.SendStream[note], grpcstream.RecvStream[note]) {
	p := &pipe{messages: messages[note]{ctx: ctx, end: errEnd}}
	return p, p
}

func Example() {
	outgoing, incoming := newStreams(context.Background())

	// The sender.
	ctx := trace.ContextWithSpanContext(context.Background(), spanContext(trace.FlagsSampled))
	changes := grpcstream.NewSender(outgoing)
	if err := changes.Send(ctx, wrapperspb.String("traced")); err != nil {
		fmt.Println(err)
	}
	if err := changes.Send(context.Background(), wrapperspb.String("untraced")); err != nil {
		fmt.Println(err)
	}

	// The receiver.
	received := grpcstream.NewReceiver(incoming, "apply change")
	for ctx, change := range received.Receive() {
		fmt.Println(change.Value, trace.SpanContextFromContext(ctx).IsSampled())
	}
	fmt.Println(received.Err())
	// Output:
	// traced true
	// untraced false
	// <nil>
}

func ExampleEncode() {
	outgoing, incoming := newStreams(context.Background())
	ctx := trace.ContextWithSpanContext(context.Background(), spanContext(trace.FlagsSampled))

	// The message is encoded once, for any number of streams.
	event, err := grpcstream.Encode(wrapperspb.String("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	headers := []*envelope.Header{envelope.NewHeader(ctx), nil} // Most recipients of a fan-out get nil.
	subscriber := grpcstream.NewSender(outgoing)
	for _, h := range headers {
		if err := subscriber.SendEncoded(event, h); err != nil {
			fmt.Println(err)
		}
	}

	received := grpcstream.NewReceiver(incoming, "show event")
	for ctx, event := range received.Receive() {
		fmt.Println(event.Value, trace.SpanContextFromContext(ctx).IsSampled())
	}
	// Output:
	// hello true
	// hello false
}

func ExampleNewReceiver() {
	outgoing, incoming := newStreams(context.Background())
	if err := grpcstream.NewSender(outgoing).Send(context.Background(), wrapperspb.String("hello")); err != nil {
		fmt.Println(err)
	}
	// A message for a goroutine of a pool keeps its header in an envelope.
	received, err := grpcstream.NewReceiver(incoming, "apply change").Recv()
	fmt.Println(received.Message().Value, err)
	// Output: hello <nil>
}

func ExampleNewSender() {
	outgoing, incoming := newStreams(context.Background())
	// What was put into an envelope elsewhere keeps its header.
	ctx := trace.ContextWithSpanContext(context.Background(), spanContext(trace.FlagsSampled))
	queued := envelope.Wrap(ctx, wrapperspb.String("hello"))
	if err := grpcstream.NewSender(outgoing).SendEnvelope(queued); err != nil {
		fmt.Println(err)
	}
	e, err := grpcstream.NewReceiver(incoming, "apply change").Recv()
	fmt.Println(e.Header().SpanContext().TraceID(), err)
	// Output: 0102030405060708090a0b0c0d0e0f10 <nil>
}
