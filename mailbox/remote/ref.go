// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// NewRef returns a reference to the process that is served on a subject, wherever that is: see
// [Serve]. It is used like any other reference. Send, TrySend, [mailbox.Call], timers and
// groups work as they do with a process of this machine, except for what the documentation of
// the package says about messages that are lost.
//
// What it refers to is a process of the node's system, which writes each message and hands it
// to the connection. So it has a mailbox, which opts configure, and counts of its own. Its kind
// is called kind, and its ID is the subject. Stop ends it; the process that it stands for
// lives on. A message that could not be written or handed over is one whose handling failed:
// [mailbox.WithEventHook] and [Node.Stats] tell.
//
// An error wraps [mailbox.ErrConfig], or [mailbox.ErrStopped] if the system is shut down.
func NewRef[M any](
	node *Node, kind, on string, messages Protocol[M], opts ...mailbox.KindOption,
) (mailbox.Ref[M], error) {
	var none mailbox.Ref[M]
	checked, err := messages.checkOn(node, on)
	if err != nil {
		return none, err
	}
	k, err := mailbox.NewKind[M](node.sys, kind, append(slices.Clone(opts), mailbox.WithoutSpans())...)
	if err != nil {
		return none, err
	}
	f := &forwarder[M]{node: node, kind: kind, subject: on, protocol: checked}
	return k.Spawn(on, f.forward)
}

// forwarder hands the messages of a local process on to a subject.
type forwarder[M any] struct {
	node          *Node
	kind, subject string
	target        routing.Target // of a process that moves: then subject is only its name
	protocol      *protocol[M]
}

// buffers are for messages that are being written. The client of NATS copies what it sends.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept is the largest buffer that is kept, in bytes.
const maxKept = 64 << 10

// forward is the handler.
func (f *forwarder[M]) forward(ctx context.Context, message M) error {
	if f.protocol.fresh {
		_, err := f.forwardIn(ctx, message, nil)
		return err
	}
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // The pool holds nothing else.
	data, err := f.forwardIn(ctx, message, (*buffer)[:0])
	if data != nil && cap(data) <= maxKept {
		*buffer = data
	}
	buffers.Put(buffer)
	return err
}

// forwardIn writes the message into b and hands it on. It returns the bytes, which may be
// written over, or nil if there are none.
func (f *forwarder[M]) forwardIn(ctx context.Context, message M, b []byte) (data []byte, err error) {
	t := f.protocol.typeOf(message)
	awaited, data, err := f.write(t, message, b)
	if err != nil {
		return nil, err
	}
	on := f.subject
	if f.target != nil {
		if on, err = f.target.Subject(ctx); err != nil {
			atomic.AddUint64(&f.node.tally.Now.NotSent.Unplaced, 1)
			f.node.tell(notSent, f.subject, err)
			return data, err
		}
	}
	if awaited != nil {
		return data, f.node.begin(ctx, &outgoing{f.kind, on, t.name, data, awaited, f.target})
	}
	return data, f.send(ctx, on, data)
}

// write writes the message into b. It returns the Reply in it if it is a call.
func (f *forwarder[M]) write(t *messageType[M], message M, b []byte) (awaited reply, data []byte, err error) {
	n := &f.node.tally.Now.NotSent
	switch {
	case t.undeclared:
		err = fmt.Errorf("%w: %s", ErrUndeclared, t.name)
	case t.call != nil:
		awaited, err = t.call.awaited(message)
	}
	if err == nil {
		data, err = f.protocol.encode(b, message)
	}
	if err != nil {
		atomic.AddUint64(&n.Codec, 1)
		f.node.tell(notWritten, f.subject, err)
		return nil, nil, fmt.Errorf("remote: %s: %w", f.subject, err)
	}
	if len(data) > f.node.limits.MaxMessage {
		atomic.AddUint64(&n.Oversized, 1)
		err = &Error{Code: codeOversized, Text: fmt.Sprintf("a message of %d bytes", len(data)), Subject: f.subject}
		f.node.tell(notWritten, f.subject, err)
		return nil, nil, err
	}
	return awaited, data, nil
}

// send sends a message that nobody waits for.
func (f *forwarder[M]) send(ctx context.Context, on string, data []byte) error {
	h := header.Forward(ctx)
	if h == nil {
		return f.node.publish(on, data)
	}
	return f.node.publishMsg(&nats.Msg{Subject: on, Header: f.node.write(h, nil), Data: data})
}

// write writes what travels of h into a header, which may be nil, and counts what does not fit.
func (n *Node) write(h *header.Header, into nats.Header) nats.Header {
	fields, cut := headers.Write(h, into, time.Time{})
	if cut {
		atomic.AddUint64(&n.tally.Now.Cut, 1)
	}
	return fields
}

// publish hands a message without headers to the connection, and counts it.
func (n *Node) publish(on string, data []byte) error {
	return n.published(on, n.conn.Publish(on, data))
}

// publishMsg hands a message to the connection, and counts it.
func (n *Node) publishMsg(m *nats.Msg) error {
	return n.published(m.Subject, n.conn.PublishMsg(m))
}

func (n *Node) published(on string, err error) error {
	if err == nil {
		atomic.AddUint64(&n.tally.Now.Sent, 1)
		return nil
	}
	err = unsent(on, err)
	atomic.AddUint64(&n.tally.Now.NotSent.Connection, 1)
	n.tell(notSent, on, err)
	return err
}
