// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/closing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/reports"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Node is a program's part in a system that is spread over several machines. It ties the
// processes of a [mailbox.System] to a connection to NATS. Make one with [NewNode], and close
// it before the connection and after the system no longer sends.
type Node struct {
	settings

	sys    *mailbox.System
	conn   *nats.Conn
	tracer trace.Tracer
	tally  observe.Tally[Stats]
	told   [reasons]reports.Report
	calls  callTable            // from here, to be answered by others
	served servedCalls          // from others, being answered here
	subs   []*nats.Subscription // the node's own
	inbox  string               // what the subjects of answers begin with

	mu      sync.Mutex
	open    map[closer]struct{}
	taken   map[string]taken // by subject
	closed  atomic.Bool
	closing sync.Mutex // held by the one who closes

	metrics  observe.Registry
	reported ownMetrics

	watch   *time.Timer   // of what NATS drops
	dropped atomic.Uint64 // by the node's own subscriptions, as far as that is counted
}

// watchEvery is how often a node looks for what NATS has dropped, to tell of it.
const watchEvery = time.Second

// closer is something of a node that is closed with it.
type closer interface {
	Close(ctx context.Context) error
	onSubject() string
}

// taken says how many have a subject.
type taken struct {
	n      int
	shared bool // They share what comes, so there may be more.
}

// NewNode makes a node. conn is how it reaches the others. TLS, credentials and what happens
// when the connection is lost are options of conn, which the node uses and never closes.
// Several nodes may share a connection.
//
// NewNode subscribes to two subjects: one for the answers to its calls, and one for what other
// nodes tell it. It returns an error that wraps [mailbox.ErrConfig] if an option makes no
// sense, or one of the connection.
func NewNode(sys *mailbox.System, conn *nats.Conn, opts ...Option) (*Node, error) {
	if sys == nil || conn == nil {
		return nil, fmt.Errorf("%w: a node needs a system and a connection", mailbox.ErrConfig)
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	n := &Node{
		settings: s, sys: sys, conn: conn, tracer: scope.Tracer(s.provider, "mailbox/remote"),
		inbox: conn.NewInbox() + ".", open: make(map[closer]struct{}), taken: make(map[string]taken),
	}
	n.calls.open = make(map[uint64]*call)
	n.served.cancels = make(map[string]*served)
	if err := n.subscribe(); err != nil {
		return nil, err
	}
	n.reported.report(n, n.RegisterMetrics)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watch = time.AfterFunc(watchEvery, n.look)
	return n, nil
}

// look looks for what NATS has dropped, and whether the connection is closed.
func (n *Node) look() {
	n.countDropped()
	if n.conn.IsClosed() {
		n.failCalls("the connection is closed", nats.ErrConnectionClosed)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed.Load() {
		n.watch.Reset(watchEvery)
	}
}

// countDropped counts what the client of NATS has dropped, because too much was waiting.
func (n *Node) countDropped() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.open {
		if s, ok := c.(*Served); ok {
			s.countDropped()
		}
	}
	total := uint64(0)
	for _, sub := range n.subs {
		if lost, err := sub.Dropped(); err == nil {
			total += uint64(max(lost, 0))
		}
	}
	n.droppedBy(n.inbox, &n.dropped, &n.tally.Now.Calls.Lost, total)
}

// subscribe makes the node's own subscriptions.
func (n *Node) subscribe() error {
	own, err := n.cancelSubject(n.id)
	if err != nil {
		return err
	}
	for on, handle := range map[string]nats.MsgHandler{n.inbox + "*": n.answered, own: n.cancelled} {
		sub, err := n.conn.Subscribe(on, handle)
		if err == nil {
			n.subs = append(n.subs, sub)
			err = sub.SetPendingLimits(n.limits.MaxPending, n.limits.MaxPendingBytes)
		}
		if err != nil {
			n.unsubscribe()
			return fmt.Errorf("remote: subscribe: %w", err)
		}
	}
	return nil
}

func (n *Node) unsubscribe() {
	for _, sub := range n.subs {
		_ = sub.Unsubscribe() // The connection is closed then.
	}
}

// ID returns the node's ID.
func (n *Node) ID() string { return n.id }

// Prefix returns what the subjects begin with that nodes use among themselves.
func (n *Node) Prefix() string { return n.prefix }

// System returns the system whose processes the node ties to the connection.
func (n *Node) System() *mailbox.System { return n.sys }

// Conn returns the connection, which the node does not own.
func (n *Node) Conn() *nats.Conn { return n.conn }

// cancelSubject returns where the node with that ID hears of callers that have gone.
func (n *Node) cancelSubject(id string) (string, error) {
	token, err := subject.Token(id)
	if err != nil {
		return "", err
	}
	return n.prefix + ".cancel." + token, nil
}

// errTaken is why something cannot have its subject: it would get what comes beside the other.
var errTaken = fmt.Errorf("%w: the node has one already", mailbox.ErrConfig)

// keep remembers what is to be closed with the node, and that it has its subject.
func (n *Node) keep(c closer, shared bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed.Load() {
		return fmt.Errorf("%w: the node is closed", mailbox.ErrStopped)
	}
	others := n.taken[c.onSubject()]
	if others.n > 0 && !(shared && others.shared) {
		return errTaken
	}
	n.taken[c.onSubject()] = taken{others.n + 1, shared}
	n.open[c] = struct{}{}
	return nil
}

// droppedBy counts in count what the client of NATS has dropped: total by now, of which known
// are counted.
func (n *Node) droppedBy(subject string, known *atomic.Uint64, count *uint64, total uint64) {
	for {
		before := known.Load()
		if total <= before {
			return
		}
		if known.CompareAndSwap(before, total) {
			atomic.AddUint64(count, total-before)
			n.tellOf(dropped, subject, nats.ErrSlowConsumer, total-before)
			return
		}
	}
}

func (n *Node) forget(c closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, open := n.open[c]; !open {
		return
	}
	delete(n.open, c)
	on := c.onSubject()
	if others := n.taken[on]; others.n > 1 {
		n.taken[on] = taken{others.n - 1, others.shared}
	} else {
		delete(n.taken, on)
	}
}

// Close closes everything that the node serves, as [Served.Close] does, and fails the calls
// that wait for an answer from elsewhere, with [mailbox.ErrStopped]. From then on calls to
// references of the node fail in the same way, and are not sent. References hand on other
// messages as before, for as long as there is a connection. Close blocks until
// what had arrived is sent on and answered, or until ctx ends, and returns nil or an error that
// wraps ctx.Err(). It may be called again.
//
// Close does not wait for a connection that takes nothing, because its link hangs, for more than
// a second after ctx has ended. What is left to do then is done when the connection goes on.
func (n *Node) Close(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	return closing.Within(ctx, func() error { return n.close(ctx) })
}

func (n *Node) close(ctx context.Context) error {
	n.closing.Lock()
	defer n.closing.Unlock()
	n.mu.Lock()
	n.closed.Store(true)
	all := make([]closer, 0, len(n.open))
	for c := range n.open {
		all = append(all, c)
	}
	n.mu.Unlock()
	errs := make([]error, len(all))
	var closing sync.WaitGroup
	for i, c := range all {
		closing.Go(func() { errs[i] = c.Close(ctx) })
	}
	closing.Wait()
	n.watch.Stop()
	n.countDropped()
	n.failCalls("the node is closed", nil)
	n.unsubscribe()
	n.reported.end()
	return errors.Join(errs...)
}
