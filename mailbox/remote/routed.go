// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// ServeRouted is [Serve] for many processes on the subjects that match one with a wildcard.
// It is for package placement: nobody else can make a route. A process whose mailbox is full
// refuses what comes, because it must not hold up the others.
func ServeRouted[M any](node *Node, subjects string, route routing.Route[M], messages Protocol[M]) (*Served, error) {
	checked, err := messages.check()
	if err != nil {
		return nil, err
	}
	s := &server[M]{Served: &Served{node: node, subject: subjects}, route: route, protocol: checked}
	return s.begin(serveSettings{})
}

// RoutedRefs returns a function that makes a reference to a process that moves: see [NewRef];
// and one that fails the calls to subjects that begin so, because nobody there is left. It is for
// package placement: nobody else can make a target.
func RoutedRefs[M any](node *Node, kind string, messages Protocol[M], opts ...mailbox.KindOption) (
	newRef func(id string, target routing.Target) (mailbox.Ref[M], error), lost func(prefix string), err error,
) {
	checked, err := messages.check()
	if err != nil {
		return nil, nil, err
	}
	k, err := mailbox.NewKind[M](node.sys, kind+" references", append(slices.Clone(opts), mailbox.WithoutSpans())...)
	if err != nil {
		return nil, nil, err
	}
	newRef = func(id string, target routing.Target) (mailbox.Ref[M], error) {
		f := &forwarder[M]{node: node, kind: kind, subject: target.Name(), target: target, protocol: checked}
		return k.Spawn(id, f.forward)
	}
	return newRef, node.lost, nil
}

// lost fails the calls that were sent to subjects that begin so, or are about to be. Whether they
// were handled, nobody knows, so they are not sent again.
func (n *Node) lost(prefix string) {
	n.calls.mu.Lock()
	if n.calls.lost = append(n.calls.lost, prefix); len(n.calls.lost) > maxLost {
		n.calls.lost = slices.Delete(n.calls.lost, 0, 1)
	}
	var ids []uint64
	for id, c := range n.calls.open {
		if c.message != nil && !c.moving && strings.HasPrefix(c.subject, prefix) {
			ids = append(ids, id)
		}
	}
	n.calls.mu.Unlock()
	for _, id := range ids {
		n.failLost(id)
	}
}

// failLost fails a call whose node is gone.
func (n *Node) failLost(id uint64) {
	if c := n.take(id); c != nil {
		atomic.AddUint64(&n.tally.Now.Calls.Failed, 1)
		c.fail(&Error{Code: codeStopped, Text: "its node is gone, and may have handled it", Subject: c.subject})
	}
}

// errNotHandled is the failure of a call that the process did not handle, because it has
// moved. No handler can return it.
var errNotHandled = errors.New("the process has moved")

// receiveRouted hands on a message that has come for a process of many.
func (s *server[M]) receiveRouted(m *nats.Msg) {
	counts := &s.node.tally.Now
	to, process, verdict := s.route(m)
	switch verdict {
	case routing.Taken:
		atomic.AddUint64(&counts.Forwarded, 1)
		return
	case routing.Elsewhere:
		atomic.AddUint64(&counts.Refused.Stopped, 1)
		s.node.tell(refused, m.Subject, routing.ErrMoved)
		s.refuse(m, codeMoved, routing.ErrMoved.Error())
		return
	case routing.Here:
	}
	message, ok := s.decode(m)
	if !ok {
		process.Done()
		return
	}
	h := s.node.read(m.Header)
	if t := s.protocol.typeOf(message); t.call != nil && m.Reply != "" {
		began := s.serveCall(m, h, func(ctx context.Context) ([]byte, error) {
			defer process.Done()
			return serveRouted(ctx, t.call, to, process, message)
		})
		if !began {
			process.Done()
		}
		return
	}
	ctx := s.untraced
	if h != nil {
		ctx = header.Arrive(s.ctx, h)
	}
	s.sent(m, to.TrySend(ctx, message))
	process.Done()
}

// serveRouted calls a process of many.
func serveRouted[M any](
	ctx context.Context, call callType[M], to mailbox.Ref[M], process routing.Process, message M,
) ([]byte, error) {
	data, err := call.serve(ctx, to, message)
	if err != nil {
		if n, ok := errors.AsType[*routing.NotHandledError](err); ok && n.By == process {
			return nil, errNotHandled
		}
	}
	return data, err
}

// redirect sends a call again that was not handled, because its process has moved. It reports
// false if it was handled, or was sent again before.
func (n *Node) redirect(id uint64, m *nats.Msg) bool {
	if len(m.Header) == 0 || m.Header.Get(errorField) != codeMoved && (m.Header.Get(statusField) != noResponders || len(m.Data) > 0) {
		return false
	}
	c, target := n.calls.takeTarget(id)
	if c == nil {
		return false
	}
	go n.sendAgain(id, c, target)
	return true
}

// sendAgain finds out where the process of a call is now, and sends the call there.
func (n *Node) sendAgain(id uint64, c *call, target routing.Target) {
	on, err := target.Again(c.timed, c.subject)
	if err == nil {
		waits, gone := n.calls.moved(id, on)
		if !waits {
			return // The caller has gone.
		}
		if gone {
			n.failLost(id)
			return
		}
		deadline, _ := c.timed.Deadline()
		c.message.Subject = on
		c.message.Header[timeoutField] = []string{writeTimeout(time.Until(deadline))}
		if err = n.conn.PublishMsg(c.message); err == nil {
			atomic.AddUint64(&n.tally.Now.Calls.Redirected, 1)
			return
		}
		err = unsent(on, err)
	}
	if c := n.take(id); c != nil {
		atomic.AddUint64(&n.tally.Now.Calls.Failed, 1)
		c.fail(fmt.Errorf("%w: %w", routing.ErrMoved, err))
	}
}

// takeTarget returns a call that waits, and where it may be sent again. That is done once.
func (t *callTable) takeTarget(id uint64) (*call, routing.Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c == nil || c.target == nil {
		return nil, nil
	}
	target := c.target
	c.target, c.moving = nil, true
	return c, target
}

// moved notes that a call is sent to another subject. It reports whether anybody still waits for
// the answer, and whether the node there is gone too.
func (t *callTable) moved(id uint64, on string) (waits, gone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c == nil {
		return false, false
	}
	c.subject, c.node, c.moving = on, "", false
	return true, t.goneLocked(on)
}
