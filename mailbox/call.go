// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"errors"
	"sync/atomic"
)

// errUnspecified stands in for a nil error given to [Reply.Fail].
var errUnspecified = errors.New("mailbox: call failed")

// Reply is where a process answers a call. It travels in the message, and may
// be answered by anyone, once, during the handling or later. The zero Reply is
// that of a message nobody waits for.
type Reply[R any] struct{ c *call[R] }

// Answer gives the caller its result. It does not block. It reports whether
// the caller will see it: not if the call was answered before, or if the
// caller has gone, in which case the reply is counted as late.
func (r Reply[R]) Answer(result R) bool { return r.c != nil && r.c.answer(outcome[R]{value: result}) }

// Fail gives the caller an error instead of a result, and is like Answer
// otherwise.
func (r Reply[R]) Fail(err error) bool {
	if err == nil {
		err = errUnspecified
	}
	return r.c != nil && r.c.answer(outcome[R]{err: err})
}

// Call sends the message that build makes and blocks until it is answered.
// build is called once, at once, with the Reply to put into the message.
//
// It returns the answer; or the error given to [Reply.Fail]; or the handler's
// failure, if it failed before anyone answered; or ctx.Err(), [ErrFull],
// [ErrStopped] if the process ended without an answer, [ErrDropped], or
// [ErrSelfCall]. A handler that returns nil and leaves the reply to nobody makes
// its caller wait for ctx. The handler's context has ctx's deadline and
// cancellation; a call whose caller has gone is not handled at all.
func Call[M, R any](ctx context.Context, to Ref[M], build func(Reply[R]) M) (R, error) {
	var none R
	p := to.p
	if p == nil {
		return none, ErrStopped
	}
	if processOf(ctx) == &p.ctx {
		return none, ErrSelfCall
	}
	c := newCall[R](ctx, &p.kind.sys.lateReplies)
	message := build(Reply[R]{c})
	ctx, span := p.startCall(ctx, message)
	result, err := none, p.send(ctx, p.slotFor(ctx, message, c))
	if err == nil {
		result, err = c.wait(p.doneChannel())
	}
	if span != nil {
		endSpan(span, err, false)
	}
	return result, err
}

// pending is a call as the process sees it that handles it.
type pending interface {
	// expired reports whether the caller has gone.
	expired() bool
	// bind gives a handler's context the caller's deadline and cancellation.
	bind(ctx context.Context) context.Context
	// leave tells that the handler has returned, if it ran at all.
	leave()
	// fail answers with err, unless there is an answer or nobody to hear it.
	fail(err error)
}

// States of a call.
const (
	callOpen uint32 = iota
	callAnswered
	callAbandoned
)

type call[R any] struct {
	caller context.Context //nolint:containedctx // It bounds the handling, as an argument would.
	state  atomic.Uint32
	result chan outcome[R] // holds one; filled by whoever answered
	late   *atomic.Uint64

	// The handler's context is given up when both the handler has returned and
	// the call is over: a handler may leave the answer to somebody else, and may
	// go on after it answered.
	parties atomic.Int32
	release context.CancelFunc // written before the handler's party leaves
}

type outcome[R any] struct {
	value R
	err   error
}

func newCall[R any](caller context.Context, late *atomic.Uint64) *call[R] {
	c := &call[R]{caller: caller, result: make(chan outcome[R], 1), late: late}
	c.parties.Store(2)
	return c
}

// end moves the call out of the open state, once.
func (c *call[R]) end(state uint32) bool {
	if !c.state.CompareAndSwap(callOpen, state) {
		return false
	}
	c.leave()
	return true
}

func (c *call[R]) leave() {
	if c.parties.Add(-1) == 0 && c.release != nil {
		c.release()
	}
}

func (c *call[R]) settle(o outcome[R]) bool {
	if !c.end(callAnswered) {
		return false
	}
	c.result <- o
	return true
}

func (c *call[R]) answer(o outcome[R]) bool {
	if c.settle(o) {
		return true
	}
	if c.abandoned() {
		c.late.Add(1)
	}
	return false
}

func (c *call[R]) fail(err error) { c.settle(outcome[R]{err: err}) }

func (c *call[R]) abandoned() bool { return c.state.Load() == callAbandoned }

// expired answers a caller whose context has ended but who has not noticed
// yet, so that it is gone from here on.
func (c *call[R]) expired() bool {
	if err := c.caller.Err(); err != nil && c.settle(outcome[R]{err: err}) {
		return true
	}
	return c.abandoned()
}

// wait waits for the answer, as long as the caller and the process last.
func (c *call[R]) wait(ended <-chan struct{}) (R, error) {
	gone := outcome[R]{}
	select {
	case o := <-c.result:
		return o.value, o.err
	case <-c.caller.Done():
		gone.err = c.caller.Err()
	case <-ended:
		gone.err = ErrStopped
	}
	if !c.end(callAbandoned) {
		gone = <-c.result // The answer was faster after all.
	}
	return gone.value, gone.err
}

func (c *call[R]) bind(ctx context.Context) context.Context {
	if c.caller.Done() == nil {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	deadline, timed := c.caller.Deadline()
	stop := context.AfterFunc(c.caller, func() {
		if timed && errors.Is(c.caller.Err(), context.DeadlineExceeded) {
			return // Our own timer does it, and not with context.Canceled.
		}
		cancel(context.Cause(c.caller))
	})
	expire := context.CancelFunc(func() {})
	if timed {
		ctx, expire = context.WithDeadline(ctx, deadline)
	}
	c.release = func() {
		stop()
		expire()
		cancel(nil)
	}
	return ctx
}
