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
// and unpacking it costs more than the spans it would not make; [CarryPolicy]
// changes that. A handler of an untraced message finds the [Sentinel] in its
// context, so that nothing it starts becomes a trace of its own.
//
// Messages that leave the operating system process are for package
// [github.com/waybill-go/waybill/envelope/wire], which writes envelopes as bytes and
// reads them.
//
// # Cost
//
// A message with neither sampled trace nor baggage has no header: to wrap,
// send, receive, handle and open it allocates nothing, alone or in a batch. A
// traced message costs one header; one with baggage costs one header too, and
// its receiver a context. Messages of one sender may share one: make it with [NewHeader], and the
// envelopes with [New].
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
