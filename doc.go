// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package waybill has no code. It says where the code is.
//
// Waybill lets a trace travel with a message: through channels, through the mailboxes of
// lightweight processes, over HTTP, gRPC and brokers, and to programs that are started. It
// is built on OpenTelemetry, and needs nothing but OpenTelemetry's API. An untraced message
// carries nothing and costs next to nothing. One message to many recipients keeps its trace
// for a sample of them.
//
// Where you begin depends on what your messages go through:
//
//   - Channels: [github.com/waybill-go/waybill/envelope].
//     Send and Receive take the place of a send and a loop.
//   - Processes with mailboxes: [github.com/waybill-go/waybill/mailbox].
//     Spawn starts one, Send and Call talk to it.
//   - One message to many channels, connections or subjects:
//     [github.com/waybill-go/waybill/sampling/fanout]. The groups of package mailbox
//     are built on the same.
//   - Processes on several machines: [github.com/waybill-go/waybill/mailbox/remote].
//     A process elsewhere is sent to and called like one here, over NATS.
//   - Requests over HTTP and gRPC, and messages over NATS, Kafka and AMQP:
//     [github.com/waybill-go/waybill/propagate]. Its propagators go wherever
//     OpenTelemetry's go, and a Boundary stands where strangers come in.
//     [github.com/waybill-go/waybill/propagate/grpcheaders] shows them repeated
//     metadata of gRPC.
//   - Streams of gRPC that live for hours:
//     [github.com/waybill-go/waybill/propagate/grpcstream].
//   - Bytes in a queue, a file or a WebSocket:
//     [github.com/waybill-go/waybill/envelope/wire].
//
// The rest is set up once for each program:
//
//   - [github.com/waybill-go/waybill/sampling] has the configuration of sampling,
//     which can change while the program runs.
//   - [github.com/waybill-go/waybill/sampling/sampler] wraps the sampler of
//     OpenTelemetry's SDK, in one line.
//   - [github.com/waybill-go/waybill/mailbox/timings] keeps what each process does with
//     its minutes.
//   - [github.com/waybill-go/waybill/mailbox/console] shows all of that in a browser, below
//     a path of your own server. It needs the SDK.
//   - [github.com/waybill-go/waybill/sampling/estimate] computes from the recorded
//     spans what all messages did.
//
// The packages of gRPC's metadata, of its streams and of processes on several machines are
// modules of their own. In a terminal, go doc shows a package or one thing in it:
//
//	go doc github.com/waybill-go/waybill/envelope
//	go doc github.com/waybill-go/waybill/mailbox.Spawn
//
// The README of the repository has a complete program. The directory docs has a page for each
// subject, and the directory examples has programs that run with one command each.
package waybill
