// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// callContext is the context of a call's handler: the process's, with the
// caller's deadline and cancellation besides. Like the process's it costs
// nothing until somebody asks for Done.
//
// It ends by itself when both its parties have left: the handler by returning,
// the call by being over. For a handler may leave the answer to somebody else,
// and may go on after it answered.
type callContext struct {
	caller  context.Context //nolint:containedctx // It is a context itself.
	process context.Context //nolint:containedctx // The same.
	parties atomic.Int32

	mu      sync.Mutex
	inner   context.Context //nolint:containedctx // Made on the first Done.
	release func()
}

var _ context.Context = (*callContext)(nil)

// bind returns the context for a handler that runs in process's.
func (c *callContext) bind(process context.Context) context.Context {
	if c.caller.Done() == nil {
		return process // There is nothing to add.
	}
	c.process = process
	return c
}

// leave tells that one of the parties has left.
func (c *callContext) leave() {
	if c.parties.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
}

// String names the context for those who print it.
func (*callContext) String() string { return "mailbox.CallContext" }

// Deadline implements context.Context.
func (c *callContext) Deadline() (deadline time.Time, ok bool) { return c.caller.Deadline() }

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.deriveLocked()
	}
	return c.inner.Done()
}

// Err implements context.Context. It says nothing that Done does not say too.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner.Err()
	}
	if err := c.process.Err(); err != nil {
		return err
	}
	if err := c.caller.Err(); err != nil {
		return err
	}
	if c.parties.Load() == 0 {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. The values are the process's.
func (c *callContext) Value(key any) any {
	c.mu.Lock()
	values := c.inner
	c.mu.Unlock()
	if values == nil {
		values = c.process
	}
	return values.Value(key)
}

// deriveLocked makes the context of the standard library that stands behind c
// from now on.
func (c *callContext) deriveLocked() {
	ctx, cancel := context.WithCancelCause(c.process)
	deadline, timed := c.caller.Deadline()
	give := func() {
		if timed && errors.Is(c.caller.Err(), context.DeadlineExceeded) {
			return // Our own timer does it, and not with context.Canceled.
		}
		cancel(context.Cause(c.caller))
	}
	stop := context.AfterFunc(c.caller, give)
	expire := context.CancelFunc(func() {})
	if timed {
		ctx, expire = context.WithDeadline(ctx, deadline)
	}
	c.inner = ctx
	c.release = func() {
		stop()
		expire()
		cancel(nil)
	}
	switch {
	case c.caller.Err() != nil:
		give() // At once, so that Done agrees with what Err has said.
	case c.parties.Load() == 0:
		c.release()
	}
}
