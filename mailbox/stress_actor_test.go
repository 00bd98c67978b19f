// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/waybill-go/waybill/mailbox"
)

// stressMessage knows its sender, and its place in all that this one sends.
type stressMessage struct {
	id, sender, number int
	step               stressStep
	reply              mailbox.Reply[int]
}

// stressSender is what somebody knows who sends one message after the other.
type stressSender struct {
	sender, number                               int
	accepted, full, stopped, cancelled, answered uint64
	unclear                                      uint64      // calls, accepted or not
	taken, doubtful                              map[int]int // by how many, for each message
}

func (s *stressSender) note(id int, err error) {
	switch {
	case err == nil:
		s.accepted++
		s.taken[id]++
	case errors.Is(err, mailbox.ErrFull):
		s.full++
	case errors.Is(err, mailbox.ErrStopped):
		s.stopped++
	default: // A context's error.
		s.cancelled++
	}
}

func (s *stressSender) noteAll(id int, d mailbox.Delivery) {
	s.accepted += uint64(d.Delivered)
	s.full += uint64(d.Full)
	s.stopped += uint64(d.Stopped)
	s.taken[id] += d.Delivered
}

// noteCall reports whether the call is known to have been accepted.
func (s *stressSender) noteCall(id int, err error) (accepted bool) {
	_, panicked := errors.AsType[*mailbox.PanicError](err)
	switch {
	case errors.Is(err, mailbox.ErrFull):
		s.note(id, err)
		return false
	case err == nil:
		s.answered++
		s.note(id, nil)
		return true
	case errors.Is(err, errSpilt), errors.Is(err, mailbox.ErrGoexit), errors.Is(err, mailbox.ErrDropped), panicked:
		s.note(id, nil)
		return true
	default: // Refused, or accepted and not answered.
		s.unclear++
		s.doubtful[id]++
		return false
	}
}

// stressActor handles the messages of one process, or of all that have the name:
// of those there is only one at a time. Nothing guards it: the race detector is
// a witness.
type stressActor struct {
	*stressSender

	run                 *stressRun
	inside, overlaps    atomic.Int32
	log                 []stressMessage
	handled, failed     uint64
	panicked, exited    uint64
	tried, started      uint64
	saved, saveFailures uint64
}

// makeInstance is the actor's Start. Every fourth fails.
func (a *stressActor) makeInstance(context.Context, mailbox.Ref[stressMessage]) (mailbox.Instance[stressMessage], error) {
	a.tried++
	switch a.tried % 8 {
	case 3:
		a.fails()
		return mailbox.Instance[stressMessage]{}, errSpilt
	case 7:
		a.fails()
		a.panicked++
		panic(errSpilt)
	}
	a.started++
	return mailbox.Instance[stressMessage]{Handle: a.handle, Save: a.save}, nil
}

// save fails every third time, beginning with the first.
func (a *stressActor) save(ctx context.Context) error {
	if n := int(a.saved + a.saveFailures); n%3 == 0 {
		a.saveFailures++
		return []effect{effectError, effectPanic, effectExit}[(n+a.sender)%3].do(ctx)
	}
	a.saved++
	return nil
}

func (a *stressActor) handle(ctx context.Context, m stressMessage) (err error) {
	if a.inside.Add(1) != 1 {
		a.overlaps.Add(1)
	}
	a.log = append(a.log, m)
	ok := false
	defer func() {
		if ok && err == nil {
			a.handled++
			a.run.known.handled.Add(1)
		} else {
			a.fails()
		}
		if !ok { // By now it is about to panic, or to exit.
			a.count(m.step.Effect)
		}
		a.inside.Add(-1)
	}()
	switch {
	case m.reply == mailbox.Reply[int]{}:
	case m.step.Answer == answerNow:
		a.answer(m)
	case m.step.Answer == answerLater:
		a.run.late.Go(func() { a.answer(m) })
	}
	if next := m.step; next.Hops > 0 {
		next.Do, next.To, next.On, next.Hops = next.Then, next.On, next.To, next.Hops-1
		a.run.perform(ctx, a.stressSender, next)
	}
	err = m.step.Effect.do(ctx)
	ok = true
	return err
}

func (a *stressActor) count(e effect) {
	switch e {
	case effectPanic:
		a.panicked++
	case effectExit:
		a.exited++
	}
}

func (a *stressActor) fails() {
	a.failed++
	a.run.known.failed.Add(1)
}

func (a *stressActor) answer(m stressMessage) {
	if m.reply.Answer(m.id) {
		a.run.heard.Add(1)
	} else {
		a.run.unheard.Add(1)
	}
}
