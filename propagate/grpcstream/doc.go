// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package grpcstream gives each message of a gRPC stream a trace of its own.
//
// A stream may live for hours. Its metadata is sent once, so all that happens on it would
// be one endless trace, that of whoever opened it. Here the trace belongs to the message,
// and travels in it:
//
//	changes := grpcstream.NewSender(stream)
//	err := changes.Send(ctx, change) // was: stream.Send(change)
//
//	changes := grpcstream.NewReceiver(stream, "apply change")
//	for ctx, change := range changes.Receive() { // was: a loop around stream.Recv()
//		apply(ctx, change) // below a child span of the sender's span
//	}
//	return changes.Err() // nil if the peer has ended the stream in order
//
// It works in both directions, with the streams of clients and of servers, and with all
// generated types of streams. Nothing has to be registered or configured. One side may use
// it without the other.
//
// # How the trace travels
//
// The trace is an additional field of the encoded message, with the number [FieldNumber].
// The field is written behind the encoding of the message. The message itself is only read,
// so it may be sent on many streams at the same time. Peers that do not know the field pass
// over it, as Protocol Buffers promise. Peers that use this package take it out of the
// unknown fields of the message. The content of the field is a message in the binary form
// of package [github.com/waybill-go/waybill/envelope/wire]: the trace, its tracestate, the
// baggage, the time of sending, and what a fan-out says. For a trace without tracestate and
// baggage, the field takes about 80 bytes. An untraced message has no field, and is the
// same on the wire as without this package.
//
// # Messages that are forwarded
//
// A message that came in by a Receiver does not have the field any more. A message that
// came in by the stream's own Recv still has it. If it is sent on by the stream's own Send,
// it keeps the trace that it came with, as a proxy should have it. If it is sent on by a
// Sender, it gets the trace of the context, or none, and never two.
//
// # One message to many streams
//
// [Encode] encodes a message once. [Sender.SendEncoded] sends it on a stream, with a header
// of its own. The headers are those of a fan-out, of which most recipients get none.
//
// # Codecs, interceptors and types
//
// What is given to the SendMsg of the stream is a wrapper, which is a message of Protocol
// Buffers of the same type. It encodes as the message and its field. Interceptors see the
// wrapper: they may log, check, copy and reflect on it as on the message, but a type
// assertion to the generated type fails. The message is what ProtoReflect().Interface()
// returns. The wrapper works with each codec that encodes with package proto, as that of
// gRPC does, or with the MarshalVT of vtprotobuf. With encoding/json, and others that
// write no Protocol Buffers but take a proto.Message, the message arrives without its
// trace. Other codecs may refuse the wrapper.
//
// A receiver needs a codec that keeps unknown fields, as package proto and vtprotobuf do.
// The messages must be generated for google.golang.org/protobuf.
//
// [Check] says whether traces can travel in messages of a type. Where they cannot, messages
// are sent and received without them. [Counters] counts these, and OpenTelemetry's error
// handler is told the reason once.
//
// # The span of the stream
//
// Instrumentation such as otelgrpc works as before: the stream has its span, and the spans
// of messages are never below it. They have a link to it. [RenewSpans] ends the span of a
// stream after a set time, and goes on in a new one.
//
// # Strangers
//
// Whoever sends a message can write anything into the field. A Receiver whose peers are
// not trusted needs a boundary: see [WithBoundary]. Sizes are bounded before anything is
// decoded, and what is malformed is read as absent and counted. No message is lost for
// that.
//
// # Cost
//
// An untraced message costs a look at its context and at its unknown fields, and allocates
// nothing that the stream does not. A traced one takes one allocation more to send, and one
// more to receive than the same span by hand.
package grpcstream
