// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wire writes envelopes as bytes, for messages that leave the operating system
// process, and reads them.
//
//	var orders wire.Config[Order] // the messages are encoding/json's
//
//	data, err := orders.Append(nil, envelope.Wrap(ctx, order))
//
//	e, err := orders.Decode(data)
//	ctx, order = e.Unwrap(ctx)
//
// There are two forms, [Binary] and [JSON], around messages of any [Codec].
//
// # Mixed fleets
//
// Peers that know nothing of this may go on sending and, as long as the writers
// are switched to it, receiving bare messages. In which order a fleet is
// upgraded and rolled back so that nothing is lost, and what could be mistaken
// for what, says the page docs/mixed-fleets.md in the repository; [Counters]
// show how far it is.
//
// # What travels
//
// The trace, its tracestate, the baggage and the time of sending travel as
// [envelope.Header] has them, and so do the number and the age of the messages that
// have handed the trace on. A message that came from another machine does not differ
// from one that did not, but for its span context, which is remote, and its time of
// sending, which is by the sender's clock. Baggage travels as the W3C writes it:
// members whose keys are not ASCII tokens, and those beyond 64 members or 8,192
// bytes, are left out, and that is counted.
//
// What travels is a claim of whoever wrote the message. A Config that reads frames of
// browsers, or anything else from those who are not trusted, needs a
// [Config.Boundary]: a Boundary of package propagate, which continues, links or ignores
// their traces and lets in the baggage that is allowed. Between machines of one's
// own, over a broker that nobody else can write to, it needs none.
//
// # Errors
//
// A message that cannot be opened is an error, and its bytes remain the caller's.
// Trace or baggage that are malformed in one that can be opened are left out and
// counted. A program that wants to know at its start whether a Config can work asks
// [Config.Validate].
//
// # Concurrency and ownership
//
// A Config is a value; any number of goroutines may use one at the same time, and
// nothing here blocks. Bytes that are given to be read are neither changed nor kept.
//
// # Cost
//
// In the binary form, a message with neither sampled trace nor baggage allocates
// nothing, to write and to read, beside what its codec does; one that is traced
// allocates its header when it is read.
package wire
