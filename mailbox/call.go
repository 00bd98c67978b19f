// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

// errUnspecified stands in for a nil error given to [Reply.Fail].
var errUnspecified = errors.New("mailbox: call failed")

// Reply answers a call. It travels in the message. Anyone may answer it, once, during the
// handling or later. Nobody waits for an answer to the zero Reply.
type Reply[R any] struct{ c *awaitedCall[R] }

// Answer gives the caller its result. It does not block. It reports whether the caller
// will see the result. The caller will not if the call was answered before, or if the
// caller has gone. In the second case the reply is counted as late, and leaves a span in
// the caller's trace.
func (r Reply[R]) Answer(result R) bool { return r.c != nil && r.c.answer(result, nil) }

// Fail gives the caller an error instead of a result. Otherwise it is like Answer.
func (r Reply[R]) Fail(err error) bool {
	if err == nil {
		err = errUnspecified
	}
	var none R
	return r.c != nil && r.c.answer(none, err)
}

// Call sends the message that build makes, and blocks until it is answered. build is
// called once, before Call blocks, with the Reply to put into the message. Call panics if
// build panics or is nil.
//
// Call returns the answer, or the error given to [Reply.Fail], or the handler's failure,
// if it failed before anyone answered. Any other error names the process and wraps one of
// these: ctx.Err(); [ErrFull]; [ErrStopped], if the process ended without an answer;
// [ErrDropped]; or [ErrSelfCall]. If a handler returns nil and nobody ever answers, the
// caller waits until ctx ends.
//
// The handler's context has ctx's deadline and cancellation. A call whose caller has gone
// is not handled at all.
//
// A handler that calls gives up its worker while it waits. Processes that call each other
// in a circle wait for each other until a deadline ends that.
func Call[M, R any](ctx context.Context, to Ref[M], build func(Reply[R]) M) (R, error) {
	if build == nil {
		panic("mailbox: Call without a build")
	}
	var none R
	p := to.p
	if p == nil {
		return none, errZeroRef
	}
	ctx = header.OrBackground(ctx)
	self := contexts.OwnerOf(ctx)
	if self == contexts.Owner(p) {
		return none, p.named(ErrSelfCall)
	}
	c := newCall[R](ctx, &p.kind.sys.readies, p.kind.totals)
	message := build(Reply[R]{c})
	s := slot[M]{message: message, call: &c.pending}
	var span trace.Span
	if c.served = header.Arriving(ctx); header.Traced(ctx) && !p.kind.silent {
		handling.Check(ctx) // Before there is another span in it.
		ctx, span = p.startCall(ctx, &s)
	}
	p.address(ctx, &s)
	if span != nil {
		c.late = p.lateReply(&s)
	}
	result, err := none, p.send(ctx, &s)
	if c.served {
		header.Queued(ctx)
	}
	unanswered := err != nil
	if err == nil {
		if self != nil {
			self.Yield() // Until the handler returns: it waits for others now.
		}
		result, unanswered, err = c.wait()
	} else if !c.end(callAbandoned) {
		<-c.ready // Somebody whom build gave the reply has answered.
	}
	p.kind.sys.readies.Put(c.ready)
	if span != nil {
		failure := failureOf(err, false)
		failure.End(span)
	}
	if unanswered {
		err = p.named(err)
	}
	return result, err
}

// awaitedCall is a pending call with room for its answer.
type awaitedCall[R any] struct {
	pending

	value R // Written before the answer is announced, and only for one that is no error.
}

func newCall[R any](caller context.Context, readies *sync.Pool, totals *kindTotals) *awaitedCall[R] {
	c := &awaitedCall[R]{pending: pending{totals: totals}}
	c.ctx.Begin(caller)
	if ready, ok := readies.Get().(chan struct{}); ok {
		c.ready = ready
	} else {
		c.ready = make(chan struct{}, 1)
	}
	return c
}

// answer gives the caller its answer, the first that comes.
func (c *awaitedCall[R]) answer(value R, err error) bool {
	if c.claim() {
		c.value = value
		c.announce(err)
		return true
	}
	if c.abandoned() {
		atomic.AddUint64(&c.totals.own.Now.LateReplies, 1)
		if c.late != nil {
			c.late.LateReply()
		}
	}
	return false
}

// wait waits for the answer, as long as the caller does. It reports whether nobody
// answered or failed.
func (c *awaitedCall[R]) wait() (value R, unanswered bool, err error) {
	if done := c.ctx.Caller().Done(); done == nil {
		<-c.ready
	} else {
		select {
		case <-c.ready:
		case <-done:
			if c.end(callAbandoned) {
				return value, true, c.ctx.Caller().Err()
			}
			<-c.ready // The answer was faster after all.
		}
	}
	// The two errors are our own, which say that the message was never handled.
	return c.value, c.err == ErrStopped || c.err == ErrDropped, c.err //nolint:errorlint // Never wrapped.
}
