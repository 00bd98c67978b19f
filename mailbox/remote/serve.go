// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/closing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// ServeOption configures [Serve].
type ServeOption interface{ applyServe(*serveSettings) }

type serveOption func(*serveSettings)

func (o serveOption) applyServe(s *serveSettings) { o(s) }

type serveSettings struct{ queue string }

// WithQueue makes the process one of a queue group, all of which serve the same subject: each
// message goes to one of them, which NATS chooses at random. Then there is no order between the
// messages of one sender.
func WithQueue(name string) ServeOption {
	return serveOption(func(s *serveSettings) { s.queue = name })
}

// Served is a process that other machines can reach. Make one with [Serve].
type Served struct {
	node    *Node
	subject string
	sub     *nats.Subscription
	ctx     context.Context //nolint:containedctx // It lasts as long as the process is served.
	giveUp  context.CancelFunc
	calls   atomic.Int64                  // being answered
	dropped atomic.Uint64                 // by the client of NATS, as far as that is counted
	gate    atomic.Pointer[chan struct{}] // what comes waits for it; nil before Close
	closing sync.Mutex                    // held by the one who closes
}

// Serve makes a local process reachable for other machines, on a subject: see [NewRef]. Any
// program that may publish to the subject can send to it, with or without this library.
//
// Messages are sent to the process in the order in which they arrive. What its mailbox does
// when it is full holds for them too: where senders wait, messages pile up in the client of
// NATS, up to [Limits], and what comes then is lost and counted ([Stats]).
//
// A message that comes with a reply subject is answered. If its type is among the protocol's
// Calls, it is a call, and the process answers it. If not, the answer is empty, and says that
// the mailbox has taken the message. Where that fails, the answer says why: see [Error].
//
// Serve does not wait until the server knows of the subscription. A program that tells others
// that they may call by another way than this connection calls [nats.Conn.Flush] before.
//
// A node serves one process on a subject, or several that all have [WithQueue]. Otherwise each of
// them would handle every message.
//
// Close ends it, and so does [Node.Close]. The end of the process does not: what comes is
// refused then.
func Serve[M any](
	node *Node, on string, to mailbox.Ref[M], messages Protocol[M], opts ...ServeOption,
) (*Served, error) {
	checked, err := messages.checkOn(node, on)
	if err != nil {
		return nil, err
	}
	var settings serveSettings
	for _, o := range opts {
		if o != nil {
			o.applyServe(&settings)
		}
	}
	s := &server[M]{Served: &Served{node: node, subject: on}, to: to, protocol: checked}
	return s.begin(settings)
}

// server is what is served, with the type of the messages.
type server[M any] struct {
	*Served

	to       mailbox.Ref[M]
	route    routing.Route[M] // of many processes; nil if there is one
	protocol *protocol[M]
	untraced context.Context //nolint:containedctx // What messages without a trace are sent with.
}

// begin begins to serve.
func (s *server[M]) begin(settings serveSettings) (*Served, error) {
	s.ctx, s.giveUp = context.WithCancel(context.Background())
	s.untraced = header.Arrive(s.ctx, nil)
	if err := s.start(settings, s.receive); err != nil {
		s.giveUp()
		return nil, err
	}
	return s.Served, nil
}

// start subscribes.
func (s *Served) start(settings serveSettings, receive nats.MsgHandler) (err error) {
	n := s.node
	if settings.queue == "" {
		s.sub, err = n.conn.Subscribe(s.subject, receive)
	} else {
		s.sub, err = n.conn.QueueSubscribe(s.subject, settings.queue, receive)
	}
	if err != nil {
		return fmt.Errorf("remote: serve %s: %w", s.subject, err)
	}
	// With room for one message only, what is dropped while that is in hand could not be counted
	// in the end.
	if err = s.sub.SetPendingLimits(max(n.limits.MaxPending, minPending), n.limits.MaxPendingBytes); err == nil {
		err = n.keep(s, settings.queue != "")
	}
	if err != nil {
		_ = s.sub.Unsubscribe() // There is an error already.
		return fmt.Errorf("remote: serve %s: %w", s.subject, err)
	}
	return nil
}

const minPending = 2

// Subject returns what the process is served on.
func (s *Served) Subject() string { return s.subject }

func (s *Served) onSubject() string { return s.subject }

// receive hands on a message that has come. It is called for one after the other.
func (s *server[M]) receive(m *nats.Msg) {
	n := s.node
	counts := &n.tally.Now
	atomic.AddUint64(&counts.Received, 1)
	if !n.mayAnswer(m.Reply) {
		atomic.AddUint64(&counts.Malformed, 1)
		m.Reply = ""
	}
	if gate := s.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-s.ctx.Done():
		}
	}
	if s.ctx.Err() != nil {
		atomic.AddUint64(&counts.Refused.Stopped, 1)
		s.refuse(m, codeStopped, "it is no longer served")
		return
	}
	if len(m.Data) > n.limits.MaxMessage {
		atomic.AddUint64(&counts.Oversized, 1)
		n.tell(oversized, s.subject, ErrOversized)
		s.refuse(m, codeOversized, fmt.Sprintf("a message of %d bytes, and %d are allowed", len(m.Data), n.limits.MaxMessage))
		return
	}
	if s.route != nil {
		s.receiveRouted(m)
		return
	}
	message, ok := s.decode(m)
	if !ok {
		return
	}
	ctx := s.untraced
	h := n.read(m.Header)
	if m.Reply != "" {
		if t := s.protocol.typeOf(message); t.call != nil {
			s.serveCall(m, h, func(ctx context.Context) ([]byte, error) { return t.call.serve(ctx, s.to, message) })
			return
		}
	}
	if h != nil {
		ctx = header.Arrive(s.ctx, h)
	}
	s.sent(m, s.to.Send(ctx, message))
}

// decode reads the message. It reports false if it cannot, and then has accounted for it.
func (s *server[M]) decode(m *nats.Msg) (message M, ok bool) {
	message, err := s.protocol.decode(m.Data)
	if err == nil {
		return message, true
	}
	atomic.AddUint64(&s.node.tally.Now.Undecodable, 1)
	s.node.tell(undecodable, s.subject, err)
	s.refuse(m, codeCodec, textOf(err))
	return message, false
}

// mayAnswer reports whether an answer may go to a subject that a stranger has chosen. Those of
// the server, JetStream and nodes are for those who may write to them: an answer could purge a
// stream, or cancel the calls of others.
func (n *Node) mayAnswer(to string) bool {
	return to == "" || to[0] != '$' && !strings.HasPrefix(to, n.prefix+".")
}

// read reads what travels with a message, and counts what is wrong with it.
func (n *Node) read(in nats.Header) *header.Header {
	if len(in) == 0 {
		atomic.AddUint64(&n.tally.Now.Bare, 1)
		return nil
	}
	h, found := headers.Read(in, headers.Options{Boundary: n.boundary, MaxBytes: n.limits.MaxHeader})
	if found.Bare {
		atomic.AddUint64(&n.tally.Now.Bare, 1)
	}
	if found.Malformed {
		atomic.AddUint64(&n.tally.Now.Malformed, 1)
	}
	return h
}

// sent accounts for a message that was sent to the process, with that result.
func (s *Served) sent(m *nats.Msg, err error) {
	counts := &s.node.tally.Now
	if err == nil {
		atomic.AddUint64(&counts.Delivered, 1)
		s.node.answer(m.Reply, nil)
		return
	}
	code := codeOf(err)
	switch {
	case errors.Is(err, mailbox.ErrFull):
		atomic.AddUint64(&counts.Refused.Full, 1)
	case s.ctx.Err() != nil, errors.Is(err, mailbox.ErrStopped):
		code = codeStopped
		atomic.AddUint64(&counts.Refused.Stopped, 1)
	default:
		atomic.AddUint64(&counts.Refused.Full, 1)
	}
	s.node.tell(refused, s.subject, err)
	s.refuse(m, code, textOf(err))
}

// refuse answers a message that is not taken, if anybody waits for that.
func (s *Served) refuse(m *nats.Msg, code, text string) {
	if m.Reply != "" {
		s.node.answerMsg(failed(m.Reply, code, text))
	}
}

// answer answers a request, if it is one.
func (n *Node) answer(to string, data []byte) {
	if to != "" {
		n.answerSent(to, n.conn.Publish(to, data))
	}
}

func (n *Node) answerMsg(m *nats.Msg) { n.answerSent(m.Subject, n.conn.PublishMsg(m)) }

func (n *Node) answerSent(to string, err error) {
	if err != nil {
		atomic.AddUint64(&n.tally.Now.Served.Lost, 1)
		n.tell(notSent, to, err)
	}
}

// pollInterval is how long Close waits between looks at what is left.
const pollInterval = time.Millisecond

// Close ends what [Serve] began. It unsubscribes, sends what had arrived into the process, and
// waits for the answers of calls. If ctx ends before that, the messages that are left are
// refused, the calls fail with [mailbox.ErrStopped], and Close returns an error that wraps
// ctx.Err(). Otherwise it returns nil. It may be called again, and does nothing then. As
// [Node.Close], it does not wait for a connection that takes nothing.
func (s *Served) Close(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	return closing.Within(ctx, func() error { return s.close(ctx) })
}

func (s *Served) close(ctx context.Context) error {
	s.closing.Lock()
	defer s.closing.Unlock()
	n := s.node
	n.mu.Lock()
	_, open := n.open[s]
	n.mu.Unlock()
	if !open {
		return nil
	}
	stop := context.AfterFunc(ctx, s.giveUp)
	defer stop()
	s.drain(ctx)
	s.settle(ctx)
	_ = s.sub.Unsubscribe() // The connection is closed then.
	n.forget(s)
	err := ctx.Err()
	s.giveUp()
	if err != nil {
		return fmt.Errorf("remote: serve %s: close: %w", s.subject, err)
	}
	return nil
}

// stuckAfter is how long nothing may happen to what is left when its time is over.
const stuckAfter = 2 * time.Second

// settle waits until what has come is handed on and answered: Drain tells nobody when it is done,
// and looks only ten times a second. When ctx has ended, what is left is refused at once. If
// nothing of it goes any more, a codec does not return.
func (s *Served) settle(ctx context.Context) {
	before, since := 0, time.Now()
	for left := s.left(); left > 0; left = s.left() {
		if left != before || ctx.Err() == nil {
			before, since = left, time.Now()
		} else if time.Since(since) > stuckAfter {
			return
		}
		time.Sleep(pollInterval)
	}
}

// drain unsubscribes, and returns when nothing more comes. Meanwhile what has come waits: NATS
// forgets how much it has dropped when the subscription is empty.
func (s *Served) drain(ctx context.Context) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	defer close(gate)
	s.countDropped() // If nothing waits by now, NATS forgets at once.
	if s.sub.Drain() == nil {
		s.node.flush(ctx)
	}
	s.countDropped()
}

// left returns how many messages have come that were not handed on, and how many calls that were
// not answered.
func (s *Served) left() int {
	n, _, err := s.sub.Pending()
	if err != nil {
		n = 0
	}
	return n + int(s.calls.Load())
}

// flushTimeout is how long a node waits until the server has got everything, and has sent all
// that it had for it.
const flushTimeout = 2 * time.Second

// flush waits for that, if there is a connection. Without one, nothing more comes anyway.
func (n *Node) flush(ctx context.Context) {
	if !n.conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_ = n.conn.FlushWithContext(ctx) // If the connection is lost now, that is as without one.
}

// countDropped counts what the client of NATS has dropped, because too much was waiting.
func (s *Served) countDropped() {
	total, err := s.sub.Dropped()
	if err != nil {
		return // The subscription has ended, and nothing says any more how many there were.
	}
	s.node.droppedBy(s.subject, &s.dropped, &s.node.tally.Now.Dropped, uint64(max(total, 0)))
}
