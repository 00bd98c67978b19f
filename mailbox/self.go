// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
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
// processors are busy. It reports false outside of handlers, and while the process
// handles nothing or has ended. Only a handler may ask, before it returns: the
// context of an untraced message is that of its process, so that later the answer
// would be about another message. A handler that hands its context to a goroutine
// hands the time over as a value.
func SentAt(ctx context.Context) (time.Time, bool) {
	if self := processOf(ctx); self != nil {
		if sent, ok := self.sentAt(); ok {
			return scheduler.TimeOf(sent), true
		}
	}
	return time.Time{}, false
}

// sentAt implements owner.
func (p *process[M]) sentAt() (sent int64, ok bool) {
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

// system implements owner.
func (p *process[M]) system() *System { return p.kind.sys }
