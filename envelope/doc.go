// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envelope lets a trace travel with a message through Go channels.
//
// A function call carries its trace in the context. A message on a channel carries nothing,
// so the trace ends there. An [Envelope] is the message with a pointer to what should travel
// beside it. Existing code changes by one word at the send and one range at the receive:
//
//	orders := make(chan envelope.Envelope[Order], 64)
//
//	err := envelope.Send(ctx, orders, order) // was: orders <- order
//
//	for ctx, order := range envelope.Receive(ctx, orders, "process orders") {
//		ship(ctx, order) // a child span of the sender's, ended with the loop body
//	}
//
// If the type of a channel cannot change, such as chan any, bare and wrapped messages may mix
// on it. Send with [Wrap], and open what arrives with [From]. [Handler] is for loops that
// select from several channels, and [BatchHandler] for messages that are handled together.
// The page docs/channels.md in the repository shows these and more patterns: pools, fan-in,
// fan-out and answers.
//
// # What travels
//
// The span context of a sampled trace, the baggage and the time of sending travel. The
// context of an unsampled trace stays behind by default, because to carry and unpack it costs
// more than the spans that it would not make. [CarryPolicy] changes that, also for a single
// send. That a trace was decided against does travel, for receivers [WithRootSpans]. A handler
// of an untraced message finds the [Sentinel] in its context, so that nothing that it starts
// becomes a trace of its own.
//
// For messages that leave the operating system process, package
// [github.com/waybill-go/waybill/envelope/wire] writes envelopes as bytes and reads them.
//
// # Cost
//
// A message with neither sampled trace nor baggage has no header, or shares one that says only
// that no trace is to be started. To wrap, send, receive, handle and open it allocates nothing,
// alone or in a batch. A traced message costs one
// header. A message with baggage costs one header too, and its receiver a context. Messages
// of one sender may share a header: make it with [NewHeader], and the envelopes with [New].
//
// [WithMeterProvider] reports what is received as metrics. Without it nothing is measured.
//
// # Concurrency and ownership
//
// An Envelope is a value and may be copied. A [Header] never changes once it is made, so any
// number of messages and goroutines may share one. Sender and receiver agree on who owns the
// message itself, as with any channel.
//
// A nil context stands for [context.Background]. A nil option is none.
//
// # Errors
//
// [Send] fails only if the context ends first. [From] returns [ErrType] for a value that is
// neither the message nor an envelope of it. A function that [Handler] or [BatchHandler] made
// returns the error of its handle, and records it on the span.
package envelope
