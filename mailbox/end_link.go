// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"

	"github.com/waybill-go/waybill/internal/guard"
)

// Termination tells of the end of a process.
type Termination struct {
	Kind, ID string
	Err      error // as of [Ref.Err]
}

func (e Termination) who() string {
	if e.ID == "" {
		return e.Kind
	}
	return e.Kind + " " + e.ID
}

// endLink has one process learn of another's end. Both know it, so that neither
// keeps it when the other has ended.
type endLink struct {
	process, other linkable
	act            func(Termination) // must not block; see tell
}

// tell acts on an end. What the user plugged in there may panic: on the worker of
// another process, whose end must go on.
func (t *endLink) tell(e Termination) { guard.Do(func() { t.act(e) }) }

func (t *endLink) undo() bool {
	inTime := t.other.removeLink(t)
	t.process.removeLink(t)
	return inTime
}

// linkable is a process as links see it.
type linkable interface {
	// addLink adds t, unless the process has ended.
	addLink(t *endLink) bool
	// removeLink reports whether t was there.
	removeLink(t *endLink) bool
	// hasLink reports whether t is there.
	hasLink(t *endLink) bool
	ending() Termination
}

// linkedError is what ends a process because one that it was linked to did.
type linkedError struct{ Termination }

// linkError returns the error for a process that ends because of e. Along a chain
// of links it stays the same: it would grow with every link.
func linkError(e Termination) error {
	if err, ok := e.Err.(*linkedError); ok { //nolint:errorlint // Only what a link has made.
		return err
	}
	return &linkedError{e}
}

// Error names the process that failed or was killed, and says why it ended.
func (e *linkedError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrLinked, e.who(), e.Err)
}

// Unwrap returns ErrLinked and what had ended the other.
func (e *linkedError) Unwrap() []error { return []error{ErrLinked, e.Err} }
