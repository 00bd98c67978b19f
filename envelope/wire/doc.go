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
// Peers that know nothing of this library may go on sending bare messages. They may go on
// receiving them until the writers are switched to wrapped ones. The page
// docs/mixed-fleets.md in the repository says in which order to upgrade a fleet and to roll
// it back so that nothing is lost, and which bytes could be mistaken for others. [Counters]
// show how far the fleet is.
//
// # What travels
//
// What an [envelope.Header] holds travels: the trace, its tracestate, the baggage and the
// time of sending. So do the number and the age of the messages that have handed the trace
// on. A message from another machine differs in two ways from a local one: its span context
// is remote, and its time of sending is by the sender's clock. Baggage travels as the W3C
// writes it: members whose keys are not ASCII tokens, and members beyond 64 or beyond 8,192
// bytes, are left out and counted.
//
// Whoever writes a message may claim anything. A Config that reads from browsers, or from
// others who are not trusted, needs a [Config.Boundary]: a Boundary of package propagate,
// which continues, links or ignores their traces and lets in the baggage that is allowed.
// Between machines of one's own, over a broker that nobody else can write to, none is
// needed.
//
// # Errors
//
// If a message cannot be opened, that is an error, and its bytes remain the caller's. If
// only its trace or its baggage is malformed, that is left out and counted.
// [Config.Validate] tells when a program starts whether a Config can work.
//
// # Concurrency and ownership
//
// A Config is a value. Any number of goroutines may use one at the same time, and nothing
// here blocks. Bytes that are given to be read are neither changed nor kept.
//
// # Cost
//
// In the binary form, a message with neither sampled trace nor baggage allocates only what
// its codec does, to write and to read. A traced message allocates its header when it is
// read.
package wire
