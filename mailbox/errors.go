// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"errors"
	"fmt"
)

// Errors of sending, calling and spawning. Test with [errors.Is]. A send that
// ended with its context returns that context's error.
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
