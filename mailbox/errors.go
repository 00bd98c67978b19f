// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"errors"
	"fmt"
)

// Errors of sending, calling and spawning. Test with [errors.Is]. Those that [Ref.Send],
// [Ref.TrySend], [Ref.Passivate], [Group.Join] and [Call] return say which process they are
// about. A send or call that ended with its context returns that context's error in the
// same way.
var (
	// ErrFull means that the mailbox was full and the message was refused.
	ErrFull = errors.New("mailbox: full")
	// ErrStopped means that the process, or its system, takes no messages any more.
	ErrStopped = errors.New("mailbox: stopped")
	// ErrDropped means that a full mailbox dropped the call to take a newer message.
	ErrDropped = errors.New("mailbox: dropped for a newer message")
	// ErrSelfCall means that a handler called its own process, which could
	// never answer.
	ErrSelfCall = errors.New("mailbox: a process cannot call itself")
	// ErrGoexit means that a handler ended its goroutine with runtime.Goexit.
	ErrGoexit = errors.New("mailbox: handler called runtime.Goexit")
	// ErrKilled means that the process was killed.
	ErrKilled = errors.New("mailbox: killed")
	// ErrTooManyRestarts means that the process failed too often to be restarted again.
	ErrTooManyRestarts = errors.New("mailbox: failed too often")
	// ErrLinked means that the process ended because a process that it was linked to did.
	ErrLinked = errors.New("mailbox: ended with a linked process")
	// ErrNotIdle means that a process was not passivated, because it has running timers
	// that it set for itself, or callers wait for its answer.
	ErrNotIdle = errors.New("mailbox: not idle")
	// ErrConfig means that an option's value makes no sense.
	ErrConfig = errors.New("mailbox: invalid configuration")
)

// errZeroRef is the error of the zero Ref.
var errZeroRef = fmt.Errorf("%w (the zero Ref)", ErrStopped)

// processError is an error that names the process it is about.
type processError struct {
	err      error
	kind, id string
}

// named returns err, one of our own or of a context, for whoever used p. A nil err stays
// nil.
func (p *process[M]) named(err error) error {
	if err == nil {
		return nil
	}
	return &processError{err, p.kind.name, p.id}
}

// Error returns the error's text and the process.
func (e *processError) Error() string {
	if e.id == "" {
		return fmt.Sprintf("%v (a process of kind %q)", e.err, e.kind)
	}
	return fmt.Sprintf("%v (process %q of kind %q)", e.err, e.id, e.kind)
}

// Unwrap returns the error without the process.
func (e *processError) Unwrap() error { return e.err }

// PanicError is the failure of a handler that panicked.
type PanicError struct {
	Value any    // what the handler panicked with
	Stack []byte // the goroutine's stack at the panic
}

// Error returns the panic's value as text, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("mailbox: handler panicked: %v", e.Value) }

// Unwrap returns the panic's value if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ShutdownError tells what was left when the context of [System.Shutdown] ended.
type ShutdownError struct {
	Busy        int    // processes whose handler, Save or Close had not returned
	DeadLetters uint64 // messages that were accepted and will not be handled
	Cause       error  // the context's error
}

// Error says what was left.
func (e *ShutdownError) Error() string {
	return fmt.Sprintf("mailbox: shutdown cut short with %d processes busy and %d messages unhandled: %v",
		e.Busy, e.DeadLetters, e.Cause)
}

// Unwrap returns the context's error.
func (e *ShutdownError) Unwrap() error { return e.Cause }
