// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// Errors that say why a message did not get across. Test with [errors.Is].
var (
	// ErrCodec means that a codec could not write or read a message or an answer, or that it
	// panicked.
	ErrCodec = errors.New("remote: codec failed")
	// ErrOversized means that a message or an answer was larger than a limit.
	ErrOversized = errors.New("remote: too large")
	// ErrUndeclared means that a message holds a [mailbox.Reply], and that its type is not
	// among the Calls of the [Protocol].
	ErrUndeclared = errors.New("remote: a message with a Reply that the protocol does not declare")
)

// Error is the failure of a call to a process on another machine, or of a message that could
// not be sent there.
//
// errors.Is finds what it means, on either machine: [mailbox.ErrStopped], [mailbox.ErrFull],
// [mailbox.ErrDropped], [mailbox.ErrKilled], [context.DeadlineExceeded], [context.Canceled],
// [ErrCodec], [ErrOversized]. If nobody serves the subject, it is both [mailbox.ErrStopped]
// and [nats.ErrNoResponders]. Of any other failure of a handler there is only the text.
type Error struct {
	// Code is what went wrong, as it travels: stopped, full, dropped, killed, deadline,
	// cancelled, codec, oversized, moved, panic or failed. A peer may have others.
	Code string
	// Text says more. It comes from the other machine, and has at most 1 KiB. A panic's stack
	// is not in it.
	Text string
	// Subject is where the message was sent to.
	Subject string

	also error // What else it is: an error of the connection.
}

// Error returns the subject and the text.
func (e *Error) Error() string {
	text := e.Text
	if text == "" {
		text = e.Code
	}
	return fmt.Sprintf("remote: %s: %s", e.Subject, text)
}

// Unwrap returns what the code means, and an error of the connection if there was one.
func (e *Error) Unwrap() []error {
	var all []error
	if meaning := meanings[e.Code]; meaning != nil {
		all = append(all, meaning)
	}
	if e.also != nil {
		all = append(all, e.also)
	}
	return all
}

// Codes of failures, as they travel.
const (
	codeStopped   = "stopped"
	codeFull      = "full"
	codeDropped   = "dropped"
	codeKilled    = "killed"
	codeDeadline  = "deadline"
	codeCancelled = "cancelled"
	codeCodec     = "codec"
	codeOversized = "oversized"
	codePanic     = "panic"
	codeFailed    = "failed"
	codeMoved     = "moved" // The message was not handled: see package placement.
)

var meanings = map[string]error{
	codeStopped:   mailbox.ErrStopped,
	codeFull:      mailbox.ErrFull,
	codeDropped:   mailbox.ErrDropped,
	codeKilled:    mailbox.ErrKilled,
	codeDeadline:  context.DeadlineExceeded,
	codeCancelled: context.Canceled,
	codeCodec:     ErrCodec,
	codeOversized: ErrOversized,
	codeMoved:     routing.ErrMoved,
}

// statuses are the codes in the convention of NATS's services, for requesters that know
// nothing of this package. They are those of HTTP.
var statuses = map[string]string{
	codeStopped:   "503",
	codeFull:      "429",
	codeDropped:   "429",
	codeKilled:    "503",
	codeDeadline:  "504",
	codeCancelled: "499",
	codeCodec:     "400",
	codeOversized: "413",
	codePanic:     "500",
	codeFailed:    "500",
	codeMoved:     "503",
}

// ordered are the codes that errors.Is can find, in the order in which they are looked for. A
// killed process is one that has stopped too.
var ordered = []string{
	codeKilled, codeFull, codeDropped, codeStopped, codeDeadline, codeCancelled, codeOversized, codeCodec,
}

// codeOf returns the code of a handler's failure, which is whatever users return.
func codeOf(err error) (code string) {
	if err == errNotHandled { //nolint:errorlint // Our own, never wrapped.
		return codeMoved
	}
	code = codeFailed
	defer func() {
		_ = recover() // To unwrap is to call users' code.
	}()
	if panicked, ok := errors.AsType[*mailbox.PanicError](err); ok && panicked != nil {
		return codePanic
	}
	for _, candidate := range ordered {
		if errors.Is(err, meanings[candidate]) {
			return candidate
		}
	}
	return code
}

// maxText bounds the text of an error that travels, in bytes.
const maxText = 1024

// textOf returns what an error says, fit for a header: on one line, and bounded.
func textOf(err error) string { return printable(fmt.Sprint(err)) }

func printable(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f { //nolint:mnd // Control characters of ASCII.
			return ' '
		}
		return r
	}, text)
}

// unsent returns the error of a message to subject that the connection did not take.
func unsent(subject string, err error) error {
	e := &Error{Code: codeFailed, Text: err.Error(), Subject: subject, also: err}
	switch {
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining), errors.Is(err, errNodeClosed):
		e.Code = codeStopped
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		e.Code = codeFull
	case errors.Is(err, nats.ErrMaxPayload):
		e.Code = codeOversized
	}
	return e
}
