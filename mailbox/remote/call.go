// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/failure"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// errNodeClosed is why a call is not sent.
var errNodeClosed = errors.New("the node is closed")

// callTable holds the calls from here that wait for their answers.
type callTable struct {
	last atomic.Uint64 // ID that was given

	mu   sync.Mutex
	open map[uint64]*call
	lost []string // what the subjects of nodes that are gone begin with, the last maxLost of them
}

// maxLost is how many lost nodes are remembered. A call needs to know those that were lost since
// it looked where its process is.
const maxLost = 64

// goneLocked reports whether a subject is of a node that is gone.
func (t *callTable) goneLocked(on string) bool {
	return slices.ContainsFunc(t.lost, func(prefix string) bool { return strings.HasPrefix(on, prefix) })
}

// call is a call from here.
type call struct {
	subject string
	reply   reply
	span    trace.Span         // nil if it is not traced
	caller  context.Context    //nolint:containedctx // That of the caller, which a call outlives a moment.
	timed   context.Context    //nolint:containedctx // The same with a deadline.
	release context.CancelFunc // of timed
	unwatch func() bool        // ends the wait for the end of timed
	node    string             // who has said that it will answer; guarded by the table's mu
	target  routing.Target     // of a process that moves, until it is sent again; likewise
	moving  bool               // while it is known not to have been handled; likewise
	message *nats.Msg          // what is sent again; nil if nothing is
}

// outgoing is a message that is a call.
type outgoing struct {
	kind, subject, message string
	data                   []byte
	reply                  reply
	target                 routing.Target // nil unless the process moves
}

// add adds a call, unless there are too many, or its node was lost just now.
func (t *callTable) add(id uint64, c *call, most int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.open) >= most:
		return &Error{Code: codeFull, Text: "too many calls wait for answers", Subject: c.subject}
	case c.message != nil && t.goneLocked(c.subject):
		return &Error{Code: codeStopped, Text: "its node is gone", Subject: c.subject}
	}
	t.open[id] = c
	return nil
}

// take takes a call out: whoever gets it must end it.
func (t *callTable) take(id uint64) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	delete(t.open, id)
	return c
}

// servedBy notes who will answer a call. It reports false if nobody waits for that.
func (t *callTable) servedBy(id uint64, node string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c != nil {
		c.node = node
	}
	return c != nil
}

// begin begins a call. An error means that it has not begun, and that the handling of its
// message fails, and with it the caller. ctx is that of the handling: it ends with the
// caller's context, and with the call.
func (n *Node) begin(ctx context.Context, o *outgoing) error {
	c := &call{subject: o.subject, reply: o.reply, caller: ctx, timed: ctx, release: func() {}}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(n.limits.CallTimeout)
		c.timed, c.release = context.WithDeadline(ctx, deadline)
	}
	h := n.startCall(ctx, o, c)
	fields := n.write(h, make(nats.Header, 1))
	fields[timeoutField] = []string{writeTimeout(time.Until(deadline))}
	id := n.calls.last.Add(1)
	m := &nats.Msg{
		Subject: o.subject, Reply: n.inbox + strconv.FormatUint(id, 36), Header: fields, Data: o.data, //nolint:mnd // As FormatUint can.
	}
	if o.target != nil {
		again := *m
		again.Data, again.Header = slices.Clone(m.Data), maps.Clone(m.Header)
		c.target, c.message = o.target, &again
	}
	c.unwatch = context.AfterFunc(c.timed, func() { n.expired(id) })
	atomic.AddUint64(&n.tally.Now.Calls.Pending, 1) // Before anybody can count that it waits no longer.
	if err := n.calls.add(id, c, n.limits.MaxCalls); err != nil {
		atomic.AddUint64(&n.tally.Now.Calls.Pending, ^uint64(0))
		count := &n.tally.Now.NotSent.Full
		if errors.Is(err, mailbox.ErrStopped) {
			count = &n.tally.Now.NotSent.Unplaced
		}
		atomic.AddUint64(count, 1)
		n.tell(notSent, o.subject, err)
		c.end(err)
		return err
	}
	if c.timed.Err() != nil {
		defer n.expired(id) // It may have ended before it was in the table.
	}
	var err error
	if n.closed.Load() { // Nobody would take the answer.
		err = n.published(o.subject, errNodeClosed)
	} else {
		err = n.publishMsg(m)
	}
	if err == nil {
		return nil
	}
	if c := n.take(id); c != nil {
		atomic.AddUint64(&n.tally.Now.Calls.Failed, 1)
		c.end(err)
	}
	return err
}

// startCall starts the call's span, if its caller is traced, and returns the header of the
// message.
func (n *Node) startCall(ctx context.Context, o *outgoing, c *call) *header.Header {
	h := header.Forward(ctx)
	if !h.Sampled() {
		return h
	}
	if _, c.span = n.startSpan(ctx, o); c.span != nil {
		h = h.WithSpanContext(c.span.SpanContext())
	}
	return h
}

// take takes a call out of the table, and counts that it no longer waits.
func (n *Node) take(id uint64) *call {
	c := n.calls.take(id)
	if c != nil {
		atomic.AddUint64(&n.tally.Now.Calls.Pending, ^uint64(0))
	}
	return c
}

// end ends a call that is out of the table: its span and its wait.
func (c *call) end(err error) {
	c.unwatch()
	c.release()
	if c.span == nil {
		return
	}
	guard.Do(func() {
		if err != nil {
			failure.Error(c.span, err)
		}
		c.span.End()
	})
}

// fail ends the call with an error, which the caller gets.
func (c *call) fail(err error) {
	c.end(err)
	c.reply.fail(err)
}

// expired ends a call whose caller has gone, or which has taken too long.
func (n *Node) expired(id uint64) {
	c := n.take(id)
	if c == nil {
		return // It was answered just now.
	}
	err := c.timed.Err()
	if deadline, ok := c.timed.Deadline(); ok && err != nil && !time.Now().Before(deadline) {
		err = context.DeadlineExceeded // A caller that leaves because of it cancels its context too.
	}
	counts := &n.tally.Now.Calls
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		atomic.AddUint64(&counts.TimedOut, 1)
	default:
		atomic.AddUint64(&counts.Cancelled, 1)
		n.tellCancelled(c.node, id) // Those of a deadline know it themselves.
	}
	if c.caller.Err() == nil {
		c.fail(&Error{Code: codeDeadline, Text: "no answer in time", Subject: c.subject})
		return
	}
	c.end(err) // The caller knows.
}

// failCalls fails all calls that wait, for that reason.
func (n *Node) failCalls(text string, also error) {
	n.calls.mu.Lock()
	ids := slices.Collect(maps.Keys(n.calls.open))
	n.calls.mu.Unlock()
	for _, id := range ids {
		if c := n.take(id); c != nil {
			atomic.AddUint64(&n.tally.Now.Calls.Failed, 1)
			c.fail(&Error{Code: codeStopped, Text: text, Subject: c.subject, also: also})
		}
	}
}

// answered handles what comes to the node's inbox.
func (n *Node) answered(m *nats.Msg) {
	id, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, n.inbox), 36, 64) //nolint:mnd // As it was written.
	counts := &n.tally.Now.Calls
	if err != nil {
		atomic.AddUint64(&counts.Late, 1) // It is no answer to anything.
		return
	}
	if node := m.Header.Get(workingField); node != "" {
		if _, err := n.cancelSubject(node); err != nil {
			atomic.AddUint64(&n.tally.Now.Malformed, 1) // No node of ours has such an ID.
		} else if !n.calls.servedBy(id, node) {
			n.tellCancelled(node, id)
		}
		return
	}
	if n.redirect(id, m) {
		return
	}
	c := n.take(id)
	if c == nil {
		atomic.AddUint64(&counts.Late, 1)
		return
	}
	wrong := failureIn(m, c.subject)
	if wrong == nil && len(m.Data) > n.limits.MaxMessage {
		wrong = &Error{Code: codeOversized, Text: "the answer is too large", Subject: c.subject}
	}
	if wrong != nil {
		atomic.AddUint64(counts.failed(wrong.Code), 1)
		c.fail(wrong)
		return
	}
	n.deliver(c, m.Data)
}

// deliver gives the caller its answer.
func (n *Node) deliver(c *call, data []byte) {
	counts := &n.tally.Now.Calls
	err := errExited // Unless it returns.
	defer func() {
		if err != nil {
			atomic.AddUint64(&counts.Failed, 1)
			n.tell(undecodable, c.subject, err)
			c.fail(&Error{Code: codeCodec, Text: textOf(err), Subject: c.subject})
		}
	}()
	err = c.reply.answer(data, func() { // All else comes before the caller goes on.
		atomic.AddUint64(&counts.Answered, 1)
		c.end(nil)
	})
}

// tellCancelled tells a node that nobody waits for its answer any more.
func (n *Node) tellCancelled(node string, id uint64) {
	if node == "" {
		return // It has not said that it will answer. If it does, it is told.
	}
	to, err := n.cancelSubject(node)
	if err != nil {
		return // No node of ours has such an ID.
	}
	if err := n.conn.Publish(to, []byte(n.inbox+strconv.FormatUint(id, 36))); err != nil { //nolint:mnd // As it was written.
		n.tell(notSent, to, err)
	}
}
