// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package headers writes what travels with a message into the headers of a NATS message,
// and reads it back:
//
//	traceparent    as in W3C Trace Context level 2
//	tracestate     the same, members that OpenTelemetry's type cannot hold included
//	baggage        as in W3C Baggage
//	waybill-sent   when the message was written, in nanoseconds since 1970 UTC by the
//	               writer's clock
//	waybill-chain  h:<hops>;a:<age in nanoseconds>, and ;f:1 if a fan-out sampled the
//	               recipient, or ;f:2 if the recipient begins a trace of its own then
//
// The last two are there only beside a sampled trace. Peers without this library read and
// write the first three, and skip the others. A [nats.Header] is such a map, so this
// package does not need NATS.
//
// Headers of NATS are case-sensitive. Write spells keys in lower case. Read knows them in
// lower case and as net/http spells them, as package propagate does.
//
// Nothing that a peer writes is an error. What is malformed, repeated or beyond a bound is
// read as absent, and [Found] says so.
//
// [nats.Header]: https://pkg.go.dev/github.com/nats-io/nats.go#Header
package headers
