// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package durable delivers messages to processes through JetStream, the streams of NATS, so
// that they outlive the programs on both sides.
//
//	queue, err := durable.New(js, durable.Config[Order]{
//		Stream: "ORDERS", Subject: "orders", Consumer: "shipping", DeadLetter: "dead.orders",
//	})
//	_, err = queue.Publish(ctx, order) // Stored when it returns.
//
//	ref, err := mailbox.Spawn(sys, "shipping", durable.Handler(ship))
//	consumer, err := queue.Consume(ctx, ref)
//
//	func ship(ctx context.Context, d durable.Delivery[Order]) error
//
// # What holds
//
// A message is acknowledged when its handler has returned nil. If the handler fails or panics,
// or its factory does, the message rests for a while and is delivered again, to any of the
// programs that share the consumer. After MaxDeliver attempts it is published to the
// dead-letter subject, with headers that say why, and then terminated. What cannot be decoded
// or is too large is a dead letter at once.
//
// No message is lost: it is delivered at least once. It may be delivered more often, if the
// program, the connection or the server fails between the handling and its acknowledgement.
// A delivery that may be a repetition says so ([Delivery], Redelivered); only a server that is
// killed itself may forget the deliveries of its last moments. Messages are stored for as long
// as the stream keeps them: a stream with limits drops old messages by itself.
//
// A dead letter is published first, and its message is terminated then. A crash in between
// publishes it again, with the same ID, so a stream stores it once within its duplicate
// window. If it does not fit with the headers of the message it is stored without them, and as
// a last resort without the payload ([HeaderWithout]): so nothing that somebody publishes stays
// in the queue for ever. If it cannot be stored for another reason, its message stays in the
// stream, and that is tried again.
//
// An attempt is a delivery to a handler. A delivery that is handed back, because the process
// was killed or the [Consumer] closed before its turn, is none, and does not bring the message
// closer to the dead letters; nor is one that comes while the message is held here already,
// because a link has hung for longer than AckWait. A program that dies cannot say which messages it had begun with:
// then all that it held count.
//
// Order holds for messages that are delivered for the first time to one process. A message
// that is delivered again comes after others.
//
// # Traces
//
// A message carries the trace and the baggage of its publisher in its headers, as all of
// package remote does. The span of its handling is a child of the publisher's span. It says
// which attempt it is, and links to the span of the attempt that failed before, with the
// reason redelivery: also if that was on another machine. For that, programs keep a note of
// 200 bytes in a key-value store about each message that failed in a sampled trace, or was
// handed back. A dead letter that no handler had leaves a span where its handling would have
// been.
//
// The time that a message waits in the stream is part of waybill.network.duration on its span,
// because it goes by the clocks of two machines.
//
// # Flow
//
// A [Consumer] holds at most MaxHeld messages, and takes no more while the mailbox of its
// process is full. It asks the server for more time for all that it holds, for as long as it
// lives: a handling may take as long as it needs.
//
// # Concurrency, ownership, errors
//
// All exported methods may be called by any number of goroutines. The connection is the
// caller's. Nothing here panics because of what a peer sends. A codec that panics or calls
// [runtime.Goexit] has failed, and nothing else that is plugged in ends a Consumer by that.
// What is lost or cannot be done is counted ([Stats]) and told to the logger.
package durable
