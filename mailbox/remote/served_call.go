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

	"github.com/waybill-go/waybill/internal/header"
)

// servedCalls are the calls from other machines that are being answered here.
type servedCalls struct {
	mu      sync.Mutex
	running int
	cancels map[string]*served // by the subject of the answer
}

// served is a call that is being answered.
type served struct {
	reply  string // the subject of the answer
	cancel context.CancelCauseFunc
}

var (
	errCallerGone = errors.New("remote: the caller has gone")
	errTookLong   = errors.New("remote: the call has taken too long")
)

// begin counts a call, and remembers it. It reports false if there are too many. Of several
// calls with one subject, which are none of ours, only the first can be cancelled.
func (c *servedCalls) begin(its *served, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running >= most {
		return false
	}
	c.running++
	if c.cancels[its.reply] == nil {
		c.cancels[its.reply] = its
	}
	return true
}

func (c *servedCalls) end(its *served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.cancels[its.reply] == its {
		delete(c.cancels, its.reply)
	}
}

// cancel cancels the call with that subject, if there is one.
func (c *servedCalls) cancel(reply string) {
	c.mu.Lock()
	its := c.cancels[reply]
	c.mu.Unlock()
	if its != nil {
		its.cancel(errCallerGone)
	}
}

// workingAfter is when a node says that it will answer: only the callers of slow calls need
// know, to be able to cancel them.
const workingAfter = 25 * time.Millisecond

// serveCall answers a call on a goroutine of its own. call makes it, and returns the answer as
// it is written. serveCall returns when the call has its place among the messages of its
// process: what comes later must not overtake it. It reports false if there are too many calls
// already.
func (s *Served) serveCall(m *nats.Msg, h *header.Header, call func(context.Context) ([]byte, error)) bool {
	n := s.node
	counts := &n.tally.Now
	left, ours, ok := readTimeout(m.Header, n.limits.CallTimeout, n.limits.MaxCallTime)
	if !ok {
		atomic.AddUint64(&counts.Malformed, 1)
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	its := &served{m.Reply, cancel}
	if !n.served.begin(its, n.limits.MaxServed) {
		cancel(nil)
		atomic.AddUint64(&counts.Refused.Busy, 1)
		n.tell(refused, s.subject, errBusy)
		s.refuse(m, codeFull, errBusy.Error())
		return false
	}
	atomic.AddUint64(&counts.Served.Calls, 1)
	atomic.AddUint64(&counts.Served.Pending, 1)
	s.calls.Add(1)
	at := make(place, 1)
	go func() {
		defer s.calls.Add(-1)
		ctx, expire := context.WithTimeoutCause(ctx, left, errTookLong)
		var working *time.Timer
		if ours {
			working = time.AfterFunc(workingAfter, func() { n.working(m.Reply) })
		}
		var data []byte
		err := errExited // Unless it returns.
		defer func() {
			if working != nil {
				working.Stop()
			}
			n.served.end(its)
			s.answerCall(ctx, m.Reply, data, err)
			expire()
			cancel(nil)
			atomic.AddUint64(&counts.Served.Pending, ^uint64(0))
		}()
		data, err = contained(func() ([]byte, error) {
			defer at.decide() // It may fail before.
			return call(header.ArriveCall(ctx, h, at.decide))
		})
	}()
	<-at
	return true
}

// place holds one when the place of a call among the messages of its process is decided.
type place chan struct{}

func (p place) decide() {
	select {
	case p <- struct{}{}:
	default:
	}
}

// errExited is the failure of a codec that has called [runtime.Goexit].
var errExited = fmt.Errorf("%w: it has ended its goroutine", ErrCodec)

var errBusy = errors.New("remote: too many calls are being answered")

// contained calls f. What users' codecs do there must not end the program.
func contained(f func() ([]byte, error)) (data []byte, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			data, err = nil, fmt.Errorf("%w: panic: %v", ErrCodec, recovered)
		}
	}()
	return f()
}

// answerCall answers a call that has ended so. ctx is its context.
func (s *Served) answerCall(ctx context.Context, to string, data []byte, err error) {
	n := s.node
	counts := &n.tally.Now.Served
	if err == nil && len(data) > n.limits.MaxMessage {
		err = fmt.Errorf("%w: an answer of %d bytes", ErrOversized, len(data))
	}
	if err == nil {
		sent := n.conn.Publish(to, data)
		if !errors.Is(sent, nats.ErrMaxPayload) {
			atomic.AddUint64(&counts.Answered, 1)
			n.answerSent(to, sent)
			return
		}
		err = fmt.Errorf("%w: an answer of %d bytes", ErrOversized, len(data))
	}
	code := codeOf(err)
	if ctx.Err() != nil {
		switch cause := context.Cause(ctx); {
		case s.ctx.Err() != nil:
			code = codeStopped
		case errors.Is(cause, errCallerGone):
			code = codeCancelled
			atomic.AddUint64(&counts.Cancelled, 1)
		case errors.Is(cause, errTookLong):
			code = codeDeadline
		}
	}
	atomic.AddUint64(&counts.Failed, 1)
	n.answerMsg(failed(to, code, textOf(err)))
}

// working tells a caller which node will answer.
func (n *Node) working(reply string) {
	err := n.conn.PublishMsg(&nats.Msg{Subject: reply, Header: nats.Header{workingField: {n.id}}})
	if err != nil {
		n.tell(notSent, reply, err)
	}
}

// cancelled handles what other nodes tell this one: the reply subjects of calls whose callers
// have gone.
func (n *Node) cancelled(m *nats.Msg) {
	const longest = 1024 // Bytes, of a subject.
	if len(m.Data) <= longest {
		n.served.cancel(string(m.Data))
	}
}
