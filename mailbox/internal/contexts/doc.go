// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package contexts has what the contexts of handlers are made of. It knows nothing of
// mailboxes: only that there is somebody to whom a context belongs, the [Owner], who
// ends at some time.
//
// The context of an untraced message is the owner itself, which costs nothing: its
// values are those of [Base], which has the sentinel and no baggage, and the owner
// (owner.go), and what waits for its end is in a [Cancellation] (cancellation.go). The
// context of a traced message is made from that one by the message's header. The
// context of a call has the caller's deadline and cancellation besides ([Call],
// call.go).
package contexts
