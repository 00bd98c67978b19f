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

// Call is the context of a call's handler: the owner's, with the caller's deadline and
// cancellation besides. Like the owner's it costs nothing until somebody asks for Done.
//
// It ends by itself when both its parties have left: the handler by returning, the
// call by being over. For a handler may leave the answer to somebody else, and may go
// on after it answered.
//
// Call [Call.Begin] before anything else, and [Call.Bind] before it is used as a
// context.
type Call struct {
	caller  context.Context //nolint:containedctx // It is a context itself.
	owner   context.Context //nolint:containedctx // The same.
	parties atomic.Int32

	mu      sync.Mutex
	inner   context.Context //nolint:containedctx // Made on the first Done.
	release func()
}

var _ context.Context = (*Call)(nil)

// Begin begins a call by a caller with that context. Both parties are there.
func (c *Call) Begin(caller context.Context) {
	c.caller = caller
	c.parties.Store(2) //nolint:mnd // The handler and the call.
}

// Caller returns the caller's context.
func (c *Call) Caller() context.Context { return c.caller }

// Bind returns the context for the handler, which runs in owner's.
func (c *Call) Bind(owner context.Context) context.Context {
	if c.caller.Done() == nil {
		return owner // There is nothing to add.
	}
	c.owner = owner
	return c
}

// Leave tells that one of the parties has left.
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

// String names the context for those who print it.
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

// Err implements context.Context. It says nothing that Done does not say too.
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

// deriveLocked makes the context of the standard library that stands behind c
// from now on.
func (c *Call) deriveLocked() {
	ctx, cancel := context.WithCancelCause(c.owner)
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
