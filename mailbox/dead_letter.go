// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import "errors"

// deadReason is why an accepted message was never handled.
type deadReason string

const (
	deadKilled  deadReason = "dead_letter_killed"
	deadFailed  deadReason = "dead_letter_failed"
	deadDropped deadReason = "dead_letter_dropped"
	deadExpired deadReason = "dead_letter_expired"
)

func (r deadReason) count(n *DeadLetters) {
	switch r {
	case deadKilled:
		n.Killed++
	case deadFailed:
		n.Failed++
	case deadDropped:
		n.Dropped++
	case deadExpired:
		n.Expired++
	}
}

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
	p.happenedTo(&s, Event{Type: MessageDead, Reason: string(reason), Err: err})
	p.neverHandled(&s, string(reason))
}

// refused leaves a trace of a message that was not taken in. The caller of a
// refused call has the refusal on its own span.
func (p *process[M]) refused(s slot[M], err error) {
	reason := "refused_cancelled"
	switch {
	case errors.Is(err, ErrFull):
		reason = "refused_full"
	case errors.Is(err, ErrStopped):
		reason = "refused_stopped"
	}
	p.happenedTo(&s, Event{Type: MessageRefused, Reason: reason, Err: err})
	if s.call == nil {
		p.neverHandled(&s, reason)
	}
}

// neverHandled leaves a span where the handling of s would have been.
func (p *process[M]) neverHandled(s *slot[M], reason string) {
	described := p.describe(s)
	described.NeverHandled(reason, s.sent, p.kind.cell.Load())
}
