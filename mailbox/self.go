// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/clock"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

// Self returns the process whose handler was given ctx, or a context that ctx
// was derived from. It reports false outside of handlers, and for a process
// that takes another type of message.
func Self[M any](ctx context.Context) (Ref[M], bool) {
	p, ok := contexts.OwnerOf(ctx).(*process[M])
	return Ref[M]{p}, ok
}

// SystemOf returns the system of the process whose handler was given ctx, to
// spawn others in. It reports false outside of handlers.
func SystemOf(ctx context.Context) (*System, bool) {
	if self, ok := contexts.OwnerOf(ctx).(interface{ system() *System }); ok {
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
	if self := contexts.OwnerOf(ctx); self != nil {
		if sent, ok := self.SentAt(); ok {
			return clock.Time(sent), true
		}
	}
	return time.Time{}, false
}
