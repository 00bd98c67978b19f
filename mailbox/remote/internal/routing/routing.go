// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package routing is what packages remote and placement have to say to each other about
// processes that move from one node to another.
package routing

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
)

// ErrMoved means that a message was not handled, because the process is no longer where it
// was sent.
var ErrMoved = fmt.Errorf("placement: the process has moved: %w", mailbox.ErrStopped)

// NotHandledError is an [ErrMoved] of a handler that has done nothing. It says whose handler it was:
// a handler may also fail because another process has moved, and then it has done something.
type NotHandledError struct{ By Process }

// Error implements error.
func (*NotHandledError) Error() string { return ErrMoved.Error() }

// Unwrap returns [ErrMoved].
func (*NotHandledError) Unwrap() error { return ErrMoved }

// NotHandled returns the answer to a message that no process has handled.
func NotHandled(reply string) *nats.Msg {
	return &nats.Msg{Subject: reply, Header: nats.Header{
		"waybill-error":           {"moved"},
		"Nats-Service-Error":      {ErrMoved.Error()},
		"Nats-Service-Error-Code": {"503"},
	}}
}

// Verdict is what becomes of a message that came for one of many processes.
type Verdict int

const (
	// Elsewhere means that the process is not here.
	Elsewhere Verdict = iota
	// Here means that the process is here.
	Here
	// Taken means that the message was handed on.
	Taken
)

// Route says where a message goes that has come. It is called for one message after the
// other, and must not block. If the verdict is Here, process.Done is called once for the
// message.
type Route[M any] func(m *nats.Msg) (to mailbox.Ref[M], process Process, verdict Verdict)

// Process is a process as it is placed on a node.
type Process interface {
	// Done says that the process has a message that came for it, or that the message was
	// refused. If it was a call, it has been answered.
	Done()
}

// Target is a process that moves.
type Target interface {
	// Name stands for the process in logs and errors.
	Name() string
	// Subject returns where the process is. It may block.
	Subject(ctx context.Context) (string, error)
	// Again returns where it is after a call was not handled at that subject. It may block
	// until ctx ends.
	Again(ctx context.Context, failed string) (string, error)
}
