// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"
)

// A process is the context that its handler gets: the system's values, the
// process's own end, and who the process is. It makes no channel until somebody
// asks for Done. From then on a cancelCtx of the standard library stands behind
// it, so that contexts derived from it need no goroutine.

type cancellable struct {
	context.Context //nolint:containedctx // It is a context itself.

	cancel context.CancelFunc
}

// owner is the process that a handler's context belongs to.
type owner interface {
	// yield lets others have the handler's worker while the handler waits.
	yield()
	// sentAt is when the message in hand was sent, by the clocks.
	sentAt() int64
	system() *System
}

// processKey is the key under which a handler's context holds its process.
type processKey struct{}

// processOf returns whose handler ctx belongs to, or nil.
func processOf(ctx context.Context) owner {
	p, _ := ctx.Value(processKey{}).(owner)
	return p
}

// isOwner reports whether ctx is that of p's handler.
func (p *process[M]) isOwner(ctx context.Context) bool { return processOf(ctx) == owner(p) }

// String names the context's process. Without it, printing the context would
// read the process while it works.
func (p *process[M]) String() string { return "mailbox.Context(" + p.kind.name + " " + p.id + ")" }

// Deadline implements context.Context: there is none.
func (*process[M]) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (p *process[M]) Done() <-chan struct{} {
	inner := p.inner.Load()
	if inner == nil {
		ctx, cancel := context.WithCancel(p.kind.sys.base)
		inner = &cancellable{ctx, cancel}
		if !p.inner.CompareAndSwap(nil, inner) {
			cancel()
			inner = p.inner.Load()
		}
	}
	p.catchUp()
	return inner.Done()
}

// Err implements context.Context. It says nothing that Done does not say too.
func (p *process[M]) Err() error {
	if p.state.Load()&(flagKilled|flagEnded) == 0 {
		return nil
	}
	p.catchUp()
	return context.Canceled
}

// catchUp ends the context if the flag that says so is set: whoever set it may
// not have got to that yet, or came before there was an inner to cancel.
func (p *process[M]) catchUp() {
	if inner := p.inner.Load(); inner != nil && p.state.Load()&(flagKilled|flagEnded) != 0 {
		inner.cancel()
	}
}

// Value implements context.Context.
func (p *process[M]) Value(key any) any {
	if key == (processKey{}) {
		return p
	}
	if inner := p.inner.Load(); inner != nil {
		return inner.Value(key)
	}
	return p.kind.sys.base.Value(key)
}
