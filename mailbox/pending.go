// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"sync/atomic"

	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// pending is a call as the process sees it that handles it: everything but the
// answer, whose type it does not know. One pointer to it is in the mailbox.
type pending struct {
	ctx    contexts.Call
	totals *kindTotals // of the kind that is called
	holder atomic.Pointer[callHolder]
	ready  chan struct{} // holds one; sent to when the answer is there
	err    error
	late   *spans.Message // tells the caller's trace of a late answer; nil without one
	served bool           // the caller is on another machine
	state  atomic.Uint32
}

// States of a call.
const (
	callOpen uint32 = iota
	callAnswered
	callAbandoned
)

// callHolder is a process that has left calls to be answered later: it fails them
// if it ends before.
type callHolder interface{ forget(c *pending) }

// bind gives a handler's context the caller's deadline and cancellation.
func (c *pending) bind(process context.Context) context.Context { return c.ctx.Bind(process) }

// leave tells that the handler has returned, if it ran at all.
func (c *pending) leave() { c.ctx.Leave() }

// over reports whether there is an answer, or nobody to hear it.
func (c *pending) over() bool { return c.state.Load() != callOpen }

func (c *pending) abandoned() bool { return c.state.Load() == callAbandoned }

// end moves the call out of the open state, once.
func (c *pending) end(state uint32) bool {
	if !c.state.CompareAndSwap(callOpen, state) {
		return false
	}
	if k := c.holder.Load(); k != nil {
		(*k).forget(c)
	}
	c.leave()
	return true
}

// claim makes the caller of it the one who answers, who must then announce the
// answer.
func (c *pending) claim() bool { return !c.over() && c.end(callAnswered) }

// announce tells whoever called that there is an answer.
func (c *pending) announce(err error) {
	c.err = err
	c.ready <- struct{}{}
}

// fail answers with err, unless there is an answer or nobody to hear it.
func (c *pending) fail(err error) {
	if c.claim() {
		c.announce(err)
	}
}

// keep has the holder hear of the answer, and reports false if there is one
// already, or nobody to hear it.
func (c *pending) keep(k callHolder) bool {
	c.holder.Store(&k)
	return !c.over()
}

// expired reports whether the caller has gone. It answers one whose context has
// ended but who has not noticed yet, so that it is gone from here on.
func (c *pending) expired() bool {
	if err := c.ctx.Caller().Err(); err != nil && c.claim() {
		c.announce(err)
		return true
	}
	return c.abandoned()
}
