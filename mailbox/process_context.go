// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/internal/owner"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

// A process is the context that its handler gets, and the owner of that context. What
// there is to it is in package contexts.

// isOwner reports whether ctx is that of p's handler.
func (p *process[M]) isOwner(ctx context.Context) bool {
	return contexts.OwnerOf(ctx) == contexts.Owner(p)
}

// String names the context's process. Without it, printing the context would
// read the process while it works.
func (p *process[M]) String() string { return "mailbox.Context(" + p.kind.name + " " + p.id + ")" }

// Deadline implements context.Context: there is none.
func (*process[M]) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (p *process[M]) Done() <-chan struct{} { return p.cancellation.Done(p) }

// Err implements context.Context.
func (p *process[M]) Err() error { return p.cancellation.Err(p) }

// AfterFunc is for contexts derived from this one.
func (p *process[M]) AfterFunc(f func()) (stop func() bool) { return p.cancellation.AfterFunc(p, f) }

// Value implements context.Context.
func (p *process[M]) Value(key any) any {
	if key == (contexts.OwnerKey{}) {
		return p
	}
	return p.kind.sys.base.Value(key)
}

// Named implements owner.Named.
func (p *process[M]) Named() (kind, id string) { return p.kind.name, p.id }

// Ended implements contexts.Owner.
func (p *process[M]) Ended() bool { return p.state.Load()&(flagKilled|flagEnded) != 0 }

// SentAt implements contexts.Owner.
func (p *process[M]) SentAt() (reading int64, ok bool) {
	st := p.state.Load()
	switch c := p.cold.Load(); {
	case st&flagBusy == 0 || st&flagEnded != 0:
		return 0, false
	case st&(flagInline|flagTaken) == flagInline|flagTaken:
		return p.slot.sent, true
	case c == nil || c.sent == 0: // Whoever asks is not its handler.
		return 0, false
	default:
		return c.sent, true
	}
}

// Yield implements contexts.Owner: it lets others have the worker of p's handler, which
// is about to wait.
func (p *process[M]) Yield() { p.kind.sys.sched.Yield(p) }

// system tells [SystemOf].
func (p *process[M]) system() *System { return p.kind.sys }

var (
	_ context.Context = (*process[int])(nil)
	_ contexts.Owner  = (*process[int])(nil)
	_ owner.Named     = (*process[int])(nil)
)
