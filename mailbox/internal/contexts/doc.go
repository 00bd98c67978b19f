// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package contexts has the parts of handlers' contexts. It knows nothing of mailboxes.
// It knows only that a context belongs to an [Owner], which ends at some time.
//
// The context of an untraced message is the owner itself, which costs nothing. Its
// values are the owner and those of [Base], which has the sentinel and no baggage
// (owner.go). A [Cancellation] holds what waits for its end (cancellation.go). The
// context of a traced message is derived from the owner by the message's header. The
// context of a call also has the caller's deadline and cancellation ([Call], call.go).
package contexts
