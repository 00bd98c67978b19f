// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Call is the context of a call's handler. It is the owner's context with the caller's
// deadline and cancellation added. Like the owner's, it costs nothing until somebody
// asks for Done.
//
// It ends by itself when the handler has returned and the call is over. It needs both,
// because a handler may leave the answer to somebody else, and may go on after it has
// answered.
//
// Call [Call.Begin] first, and [Call.Bind] before the Call is used as a context.
type Call struct {
	caller  context.Context //nolint:containedctx // It is a context itself.
	owner   context.Context //nolint:containedctx // The same.
	parties atomic.Int32

	mu      sync.Mutex
	inner   context.Context //nolint:containedctx // Made on the first Done.
	release func()
}

var _ context.Context = (*Call)(nil)

// Begin begins a call by a caller with that context. The handler and the call are the
// two parties.
func (c *Call) Begin(caller context.Context) {
	c.caller = caller
	c.parties.Store(2) //nolint:mnd // The handler and the call.
}

// Caller returns the caller's context.
func (c *Call) Caller() context.Context { return c.caller }

// Bind returns the context for the handler, which is derived from the owner's context.
func (c *Call) Bind(owner context.Context) context.Context {
	if c.caller.Done() == nil {
		return owner // There is nothing to add.
	}
	c.owner = owner
	return c
}

// Leave says that one of the parties has left.
func (c *Call) Leave() {
	if c.parties.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
}

// String returns a name for the context.
func (*Call) String() string { return "mailbox.CallContext" }

// Deadline implements context.Context.
func (c *Call) Deadline() (deadline time.Time, ok bool) { return c.caller.Deadline() }

// Done implements context.Context.
func (c *Call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.deriveLocked()
	}
	return c.inner.Done()
}

// Err implements context.Context. When it returns an error, Done is closed already.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner.Err()
	}
	if err := c.owner.Err(); err != nil {
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

// Value implements context.Context. The values are the owner's.
func (c *Call) Value(key any) any {
	c.mu.Lock()
	values := c.inner
	c.mu.Unlock()
	if values == nil {
		values = c.owner
	}
	return values.Value(key)
}

// deriveLocked makes a context of the standard library, to which c delegates from now
// on.
func (c *Call) deriveLocked() {
	ctx, cancel := context.WithCancelCause(c.owner)
	deadline, timed := c.caller.Deadline()
	give := func() {
		if timed && errors.Is(c.caller.Err(), context.DeadlineExceeded) {
			return // Our own timer ends the context, and not with context.Canceled.
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
		give() // End it at once, so that Done agrees with what Err has returned.
	case c.parties.Load() == 0:
		c.release()
	}
}
