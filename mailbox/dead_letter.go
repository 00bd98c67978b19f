// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"errors"

	"github.com/waybill-go/waybill/internal/delivered"
	"github.com/waybill-go/waybill/internal/guard"
)

// tellDead tells those who care that s, counted already, will not be handled: the
// caller who waits for it, and the trace it belongs to.
func (p *process[M]) tellDead(s slot[M], reason deadReason) {
	err := ErrStopped
	if reason == deadDropped {
		err = ErrDropped
	}
	if s.call != nil {
		s.call.fail(err)
	}
	p.tellDelivered(&s, delivered.Message.Dead, err)
	p.happenedTo(&s, Event{Type: MessageDead, Reason: string(reason), Err: err})
	p.spanOfUnhandled(&s, string(reason))
}

// tellRefused leaves a trace of a message that was not taken in. The caller of a
// refused call has the refusal on its own span.
func (p *process[M]) tellRefused(s slot[M], err error) {
	reason := "refused_cancelled"
	switch {
	case errors.Is(err, ErrFull):
		reason = "refused_full"
	case errors.Is(err, ErrStopped):
		reason = "refused_stopped"
	}
	p.happenedTo(&s, Event{Type: MessageRefused, Reason: reason, Err: err})
	if s.call == nil {
		p.spanOfUnhandled(&s, reason)
	}
}

// spanOfUnhandled leaves a span where the handling of s would have been.
func (p *process[M]) spanOfUnhandled(s *slot[M], reason string) {
	described := p.describe(s)
	described.NeverHandled(reason, s.sent, p.kind.cell.Load())
}

// tellDelivered tells the message in s, if it wants to know, that it was not handled.
func (p *process[M]) tellDelivered(s *slot[M], tell func(delivered.Message, error), err error) {
	if p.kind.delivered {
		message := any(s.message).(delivered.Message) //nolint:forcetypeassert // As NewKind has seen.
		guard.Do(func() { tell(message, err) })
	}
}
