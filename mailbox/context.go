// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"sync/atomic"
	"time"
)

// processContext is the context that a process gives to its handler: the
// system's values, the process's own end, and who the process is. It makes no
// channel until somebody asks for Done. From then on a cancelCtx of the
// standard library stands behind it, so that contexts derived from it need no
// goroutine.
type processContext struct {
	base  context.Context //nolint:containedctx // It is a context itself.
	inner atomic.Pointer[cancellable]
	ended atomic.Bool
}

type cancellable struct {
	context.Context //nolint:containedctx // It is a context itself.

	cancel context.CancelFunc
}

// processKey is the key under which a handler's context holds its process.
type processKey struct{}

// processOf returns whose handler ctx belongs to, or nil.
func processOf(ctx context.Context) *processContext {
	p, _ := ctx.Value(processKey{}).(*processContext)
	return p
}

func (*processContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (c *processContext) Done() <-chan struct{} {
	inner := c.inner.Load()
	if inner == nil {
		ctx, cancel := context.WithCancel(c.base)
		inner = &cancellable{ctx, cancel}
		if !c.inner.CompareAndSwap(nil, inner) {
			cancel()
			inner = c.inner.Load()
		}
	}
	c.catchUp(inner)
	return inner.Done()
}

// Err returns nothing that Done does not say too.
func (c *processContext) Err() error {
	if !c.ended.Load() {
		return nil
	}
	c.catchUp(c.inner.Load())
	return context.Canceled
}

// catchUp cancels inner if the end has come and whoever brought it has not got
// to that yet, or came before there was an inner.
func (c *processContext) catchUp(inner *cancellable) {
	if inner != nil && c.ended.Load() {
		inner.cancel()
	}
}

func (c *processContext) Value(key any) any {
	if key == (processKey{}) {
		return c
	}
	if inner := c.inner.Load(); inner != nil {
		return inner.Value(key)
	}
	return c.base.Value(key)
}

// end cancels the context.
func (c *processContext) end() {
	c.ended.Store(true)
	c.catchUp(c.inner.Load())
}
