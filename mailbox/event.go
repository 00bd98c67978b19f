// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
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

// WithEventHook calls hook for every event of the given types in the system, or of all
// types if none is given. The calls are made one after the other on a goroutine of their
// own, and the processes do not wait for them. While hook blocks, up to 1,024 events wait;
// further ones are left out and counted ([Stats.EventsLost]). If hook panics,
// OpenTelemetry's error handler is told, and the next event follows.
//
// An event costs some 200 ns where it happens, and memory while it waits. Where many
// messages are refused on purpose, leave [MessageRefused] out.
func WithEventHook(hook func(Event), types ...EventType) SystemOption {
	return systemOption(func(s *System) { s.hook = eventHook{hook, slices.Clone(types)} })
}

// eventHook is a hook, if there is one, and what it wants to hear.
type eventHook struct {
	call  func(Event)
	types []EventType // all if empty
}

func (h eventHook) wants(t EventType) bool {
	return h.call != nil && (len(h.types) == 0 || slices.Contains(h.types, t))
}

// WithLogger writes all events to logger. Panics, and processes that ended because of a
// failure, are errors; all others are warnings. Of each kind of process the logger gets
// some 10 records a second, and then one record that says how many were left out. It is
// called like a hook ([WithEventHook]), after the hook. With a nil logger nothing is
// written.
//
// Without this option, panics and processes that ended because of a failure are written to
// [slog.Default], and nothing else.
func WithLogger(logger *slog.Logger) SystemOption {
	return systemOption(func(s *System) { s.log = eventLog{given: true, logger: logger} })
}

// hears reports whether anybody is to be told of such an event.
func (s *System) hears(t EventType, err error) bool {
	return s.hook.wants(t) || s.log.wants(Event{Type: t, Err: err})
}

// tell tells the hook and the logger of e.
func (s *System) tell(e event) {
	if s.hook.wants(e.Type) {
		s.hook.call(e.Event)
	}
	s.log.write(e.Event, e.totals)
}

// waitForEvents waits until everybody has been told of all that has happened, ctx
// ends, or a hook has held this up for a second.
func (s *System) waitForEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = s.events.Wait(ctx)
}

// event is an Event on its way.
type event struct {
	Event

	totals *kindTotals
}

// happened tells whoever wants to hear of it.
func (p *process[M]) happened(e Event) {
	if !p.kind.sys.hears(e.Type, e.Err) {
		return
	}
	e.Time, e.Kind, e.ID = time.Now(), p.kind.name, p.id
	if envelope.IsSentinel(e.SpanContext) {
		e.SpanContext = trace.SpanContext{} // It is no trace's.
	}
	if !p.kind.sys.events.Put(event{e, p.kind.totals}) {
		atomic.AddUint64(&p.kind.totals.own.Now.EventsLost, 1)
	}
}

// happenedTo is happened for a message, which it describes if anybody wants to hear of it.
func (p *process[M]) happenedTo(s *slot[M], e Event) {
	if !p.kind.sys.hears(e.Type, e.Err) {
		return
	}
	e.Message = p.kind.spans.TypeName(typeOf(s.message))
	if !e.SpanContext.IsValid() {
		e.SpanContext = s.header.SpanContext()
	}
	p.happened(e)
}
