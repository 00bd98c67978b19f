// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envelope lets a trace travel with a message through Go channels.
//
// A function call carries its trace in the context; a message on a channel
// carries nothing, so the trace ends there. An [Envelope] is the message with
// a pointer to what should travel beside it. The change to existing code is
// one word at the send and one range at the receive:
//
//	orders := make(chan envelope.Envelope[Order], 64)
//
//	err := envelope.Send(ctx, orders, order) // was: orders <- order
//
//	for ctx, order := range envelope.Receive(ctx, orders, "process orders") {
//		ship(ctx, order) // a child span of the sender's, ended with the loop body
//	}
//
// Channels whose type cannot change, such as chan any, may mix bare and
// wrapped messages: send with [Wrap], and open whatever arrives with [From].
// [Handler] is for loops that select from several channels, and [BatchHandler]
// for messages that are handled together. The page docs/channels.md in the
// repository has these and further patterns: pools, fan-in, fan-out, answers.
//
// # What travels
//
// The span context of a sampled trace, the baggage, and the time of sending.
// The context of an unsampled trace stays behind by default, because carrying
// and unpacking it costs more than the spans it would not make; [Carry]
// changes that. A handler of an untraced message finds the [Sentinel] in its
// context, so that nothing it starts becomes a trace of its own.
//
// # On the wire
//
// What leaves the operating system process leaves it as bytes. A [Wire] writes
// envelopes in a binary form or as JSON, around messages of any [Codec], and
// reads them:
//
//	var orders envelope.Wire[Order] // the messages are encoding/json's
//
//	data, err := orders.Append(nil, envelope.Wrap(ctx, order))
//
//	e, err := orders.Decode(data)
//	ctx, order = e.Unwrap(ctx)
//
// Peers that know nothing of this may go on sending and, as long as the writers
// are switched to it, receiving bare messages. In which order a fleet is
// upgraded and rolled back so that nothing is lost, and what could be mistaken
// for what, says the page docs/mixed-fleets.md in the repository; [Counters]
// show how far it is.
//
// The trace, its tracestate, the baggage, the time of sending, and the hops and
// age of the chain travel as [Header] has them: from the rest of this package a
// message that came from another machine does not differ, but for its span
// context, which is remote, and its time of sending, which is by the sender's
// clock. Baggage travels as the W3C writes it: members whose keys are not ASCII
// tokens, and those beyond 64 members or 8,192 bytes, are left out, and that is
// counted.
//
// What travels is a claim of whoever wrote the message. A Wire that reads frames of
// browsers, or anything else from those who are not trusted, needs a
// [Wire.Boundary]: a Border of package propagate, which continues, links or ignores
// their traces and lets in the baggage that is allowed. Between machines of one's
// own, over a broker that nobody else can write to, it needs none.
//
// A message that cannot be opened is an error, and its bytes remain the
// caller's. Trace or baggage that are malformed in one that can be opened are
// left out and counted.
//
// # Cost
//
// A message with neither sampled trace nor baggage has no header: to wrap,
// send, receive, handle and open it allocates nothing, alone or in a batch. A
// traced message costs one header; one with baggage costs one header too, and
// its receiver a context. Messages of one sender may share one: [WithHeader].
//
// # Concurrency and ownership
//
// An Envelope is a value and may be copied. A [Header] never changes after it
// was made, so any number of messages and goroutines may share one. The
// message itself belongs to whoever the sender and the receiver agree on, as
// with any channel.
//
// # Errors
//
// Sending fails only when the context ends first. [From] reports a value that
// is neither the message nor an envelope of it with [ErrType]. A handler returns
// the error of what it was made from, which is on the span then.
package envelope
