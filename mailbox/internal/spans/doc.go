// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package spans makes the spans of messages: of their handling (handling.go), of calls
// (call.go) and broadcasts (broadcast.go), and those that are made when all is over
// (late.go). It knows nothing of mailboxes and processes: a message is what its
// [Message] says, plain values.
//
// A [Tracer] makes the spans of a system, and a [Kind] those of the processes of one
// kind. What is plugged in below them, samplers and span processors, may panic: it costs
// the span, which is nil then, and nothing else.
package spans
