// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"
)

// Self returns the process whose handler was given ctx, or a context that ctx
// was derived from. It reports false outside of handlers, and for a process
// that takes another type of message.
func Self[M any](ctx context.Context) (Ref[M], bool) {
	p, ok := processOf(ctx).(*process[M])
	return Ref[M]{p}, ok
}

// SystemOf returns the system of the process whose handler was given ctx, to
// spawn others in. It reports false outside of handlers.
func SystemOf(ctx context.Context) (*System, bool) {
	if self := processOf(ctx); self != nil {
		return self.system(), true
	}
	return nil, false
}

// SentAt returns when the message was sent that is being handled: exactly if
// its trace is sampled, else to about a millisecond, or some 20 while all
// processors are busy. It reports false outside of handlers. Only a handler may
// ask, before it returns: after that its process handles another message.
func SentAt(ctx context.Context) (time.Time, bool) {
	if self := processOf(ctx); self != nil {
		return timeOf(self.sentAt()), true
	}
	return time.Time{}, false
}

// sentAt implements owner.
func (p *process[M]) sentAt() int64 {
	if p.state.Load()&flagTaken != 0 {
		return p.slot.sent
	}
	return p.cold.Load().sent
}

// system implements owner.
func (p *process[M]) system() *System { return p.kind.sys }
