// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// EventType is what an [Event] tells of.
type EventType int

const (
	// HandlerFailed tells of a handler, or of the [Factory] before it, that returned an
	// error, panicked or called runtime.Goexit.
	HandlerFailed EventType = iota + 1
	// MessageRefused tells of a message that a process did not take in.
	MessageRefused
	// MessageDead tells of a message that was accepted and never handled.
	MessageDead
	// ProcessEnded tells of a process that was killed, or that ended because it or a
	// process it was linked to failed.
	ProcessEnded
	// SaveFailed tells of an [Instance] whose Save failed.
	SaveFailed
	// CloseFailed tells of an [Instance] whose Close failed.
	CloseFailed
)

// String returns what happened, in words.
func (t EventType) String() string {
	switch t {
	case HandlerFailed:
		return "handler failed"
	case MessageRefused:
		return "message refused"
	case MessageDead:
		return "message never handled"
	case ProcessEnded:
		return "process ended"
	case SaveFailed:
		return "save failed"
	case CloseFailed:
		return "close failed"
	default:
		return "unknown event"
	}
}

// Event is something that went wrong in a system.
type Event struct {
	Type EventType
	Time time.Time
	Kind string // of the process
	ID   string // of the process; may be empty

	// Message is the message's Go type without its package; empty if the event is
	// about no message.
	Message string
	// Reason is why a message was refused or never handled: refused_full,
	// dead_letter_killed and so on, as in the attribute waybill.late.reason.
	Reason string
	// SpanContext is that of the handling's span, or else the one that the message
	// carries. It is not valid if there is neither.
	SpanContext trace.SpanContext
	// Err is the failure; after a panic it is a *[PanicError]. For a refused message it is
	// the error that its sender got. For a message that was never handled it is
	// [ErrDropped] if a newer one took its place, else [ErrStopped]; Reason says more.
	Err error
}

// Panicked reports whether the failure was a panic.
func (e Event) Panicked() bool {
	_, ok := e.Err.(*PanicError) //nolint:errorlint // To unwrap is to call what users' errors are made of.
	return ok
}

// eventHook is a hook, if there is one, and what it wants to hear.
type eventHook struct {
	call  func(Event)
	types []EventType // all if empty
}

func (h eventHook) wants(t EventType) bool {
	return h.call != nil && (len(h.types) == 0 || slices.Contains(h.types, t))
}

// queuedEvent is an Event on its way.
type queuedEvent struct {
	Event

	totals *kindTotals
}
