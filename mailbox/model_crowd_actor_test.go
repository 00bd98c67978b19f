// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/waybill-go/waybill/mailbox"
)

// crowdMessage knows its sender, and its place in all that this one sends.
type crowdMessage struct {
	id, sender, number int
	step               crowdStep
	reply              mailbox.Reply[int]
}

// crowdSender is what somebody knows who sends one message after the other.
type crowdSender struct {
	sender, number                               int
	accepted, full, stopped, cancelled, answered uint64
	unclear                                      uint64      // calls, accepted or not
	taken, doubtful                              map[int]int // by how many, for each message
}

func (s *crowdSender) note(id int, err error) {
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

func (s *crowdSender) noteAll(id int, d mailbox.Delivery) {
	s.accepted += uint64(d.Delivered)
	s.full += uint64(d.Full)
	s.stopped += uint64(d.Stopped)
	s.taken[id] += d.Delivered
}

func (s *crowdSender) noteCall(id int, err error) {
	_, panicked := errors.AsType[*mailbox.PanicError](err)
	switch {
	case errors.Is(err, mailbox.ErrSelfCall): // Nothing was sent.
	case errors.Is(err, mailbox.ErrFull):
		s.note(id, err)
	case err == nil:
		s.answered++
		s.note(id, nil)
	case errors.Is(err, errSpilt), errors.Is(err, mailbox.ErrGoexit), errors.Is(err, mailbox.ErrDropped), panicked:
		s.note(id, nil)
	default: // Refused, or accepted and not answered.
		s.unclear++
		s.doubtful[id]++
	}
}

// crowdActor handles the messages of one process, or of all that have the name:
// of those there is only one at a time. Nothing guards it: the race detector is
// a witness.
type crowdActor struct {
	*crowdSender

	crowd               *modelCrowd
	inside, overlaps    atomic.Int32
	log                 []crowdMessage
	handled, failed     uint64
	tried, started      uint64
	saved, saveFailures uint64
}

// makeInstance is the actor's Start. Every fourth fails.
func (a *crowdActor) makeInstance(context.Context, mailbox.Ref[crowdMessage]) (mailbox.Instance[crowdMessage], error) {
	a.tried++
	switch a.tried % 8 {
	case 3:
		a.failed++
		return mailbox.Instance[crowdMessage]{}, errSpilt
	case 7:
		a.failed++
		panic(errSpilt)
	}
	a.started++
	return mailbox.Instance[crowdMessage]{Handle: a.handle, Save: a.save}, nil
}

// save fails every third time, beginning with the first.
func (a *crowdActor) save(ctx context.Context) error {
	if n := int(a.saved + a.saveFailures); n%3 == 0 {
		a.saveFailures++
		return []deed{deedError, deedPanic, deedExit}[(n+a.sender)%3].do(ctx)
	}
	a.saved++
	return nil
}

func (a *crowdActor) handle(ctx context.Context, m crowdMessage) (err error) {
	if a.inside.Add(1) != 1 {
		a.overlaps.Add(1)
	}
	a.log = append(a.log, m)
	ok := false
	defer func() {
		if ok && err == nil {
			a.handled++
		} else {
			a.failed++
		}
		a.inside.Add(-1)
	}()
	switch {
	case m.reply == mailbox.Reply[int]{}:
	case m.step.Answer == answerNow:
		a.answer(m)
	case m.step.Answer == answerLater:
		a.crowd.late.Go(func() { a.answer(m) })
	}
	if next := m.step; next.Hops > 0 {
		next.Do, next.To, next.On, next.Hops = next.Then, next.On, next.To, next.Hops-1
		a.crowd.perform(ctx, a.crowdSender, next)
	}
	err = m.step.Deed.do(ctx)
	ok = true
	return err
}

func (a *crowdActor) answer(m crowdMessage) {
	if m.reply.Answer(m.id) {
		a.crowd.heard.Add(1)
	} else {
		a.crowd.unheard.Add(1)
	}
}

// complaints says what is wrong with the counts and the logs.
func (c *modelCrowd) complaints(s mailbox.Stats) (list []string) {
	check := func(what string, got, least, most uint64) {
		if got < least || got > most {
			list = append(list, fmt.Sprintf("%s: %d is not within %d and %d in %+v", what, got, least, most, s))
		}
	}
	exactly := func(what string, got, want uint64) { check(what, got, want, want) }

	var all crowdSender
	for _, s := range c.senders {
		all.accepted += s.accepted
		all.full += s.full
		all.stopped += s.stopped
		all.cancelled += s.cancelled
		all.unclear += s.unclear
		all.answered += s.answered
	}
	all.unclear += c.notices.Load()
	exactly("sent", s.Accepted+s.Refused.Total(), all.accepted+all.full+all.stopped+all.cancelled+all.unclear)
	check("accepted", s.Accepted, all.accepted, all.accepted+all.unclear)
	exactly("full", s.Refused.Full, all.full)
	check("stopped", s.Refused.Stopped, all.stopped, all.stopped+all.unclear)
	check("cancelled", s.Refused.Cancelled, all.cancelled, all.cancelled+all.unclear)

	var handlers crowdActor
	for _, a := range c.actors {
		handlers.handled += a.handled
		handlers.failed += a.failed
		handlers.started += a.started
		handlers.saved += a.saved
		handlers.saveFailures += a.saveFailures
		exactly("two messages at a time", uint64(a.overlaps.Load()), 0)
	}
	exactly("handled", s.Handled, handlers.handled)
	exactly("failed", s.Failed, handlers.failed)
	exactly("dead letters", s.DeadLetters.Total(), s.Accepted-handlers.handled-handlers.failed)
	check("passivated", s.Passivated, 0, handlers.saved) // The others were saved before their end.
	exactly("not saved", s.SaveFailures, handlers.saveFailures)
	check("restarts", s.Restarts, 0, handlers.failed)
	check("starts", handlers.started, 0, uint64(len(c.actors))+uint64(len(c.named.log))+s.Restarts+s.Passivated)
	exactly("answers", c.heard.Load(), all.answered)
	check("late replies", s.LateReplies, 0, c.unheard.Load())
	exactly("left over", uint64(s.Processes+c.group.Len())+s.Waiting+s.Queued, 0)
	return append(list, c.disorder()...)
}

// disorder says which messages were handled too often, or before those that
// their senders had sent before.
func (c *modelCrowd) disorder() (list []string) {
	taken := make(map[int]int)
	for _, s := range c.senders {
		for id, n := range s.taken {
			taken[id] += n
		}
		for id, n := range s.doubtful {
			taken[id] += n
		}
	}
	for _, a := range c.actors {
		last := make(map[int]int)
		for _, m := range a.log {
			if m.id == noticeID {
				continue
			}
			if taken[m.id]--; taken[m.id] < 0 {
				list = append(list, fmt.Sprintf("message %d was handled too often", m.id))
			}
			if m.number <= last[m.sender] {
				list = append(list, fmt.Sprintf("sender %d: %d after %d", m.sender, m.number, last[m.sender]))
			}
			last[m.sender] = m.number
		}
	}
	return list
}
