// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

// Self returns the process whose handler was given ctx, or a context that ctx was derived
// from. It reports false outside of handlers, and for a process that takes another type of
// message.
func Self[M any](ctx context.Context) (Ref[M], bool) {
	p, ok := contexts.OwnerOf(ctx).(*process[M])
	return Ref[M]{p}, ok
}

// SystemOf returns the system of the process whose handler was given ctx. A handler needs
// it to spawn other processes. It reports false outside of handlers.
func SystemOf(ctx context.Context) (*System, bool) {
	if self, ok := contexts.OwnerOf(ctx).(interface{ system() *System }); ok {
		return self.system(), true
	}
	return nil, false
}

// SentAt returns when the message that is being handled was sent. The time is exact if the
// message's trace is sampled. Otherwise it is right to about a millisecond, or some 20 ms
// while all processors are busy. SentAt reports false outside of handlers, and while the
// process handles nothing or has ended.
//
// Only the handler may ask, before it returns. The context of an untraced message is that
// of its process, so a later answer would be about another message. A handler that gives
// its context to a goroutine must pass the time as a value.
func SentAt(ctx context.Context) (time.Time, bool) {
	if self := contexts.OwnerOf(ctx); self != nil {
		if sent, ok := self.SentAt(); ok {
			return clock.Time(sent), true
		}
	}
	return time.Time{}, false
}
