// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// stressKnown is what senders and handlers have counted so far.
type stressKnown struct{ begun, finished, accepted, handled, failed atomic.Uint64 }

// ended counts so many messages that were accepted, or not as far as is known.
func (k *stressKnown) ended(n int, accepted bool) {
	if accepted {
		k.accepted.Add(uint64(n))
	}
	k.finished.Add(uint64(n))
}

// observe checks again and again, until over is closed, that the system's counts
// add up, and lie between what was known before they were read and afterwards.
func (r *stressRun) observe(over <-chan struct{}) {
	for {
		finished, accepted := r.known.finished.Load(), r.known.accepted.Load()
		s := r.sys.Stats()
		waiting, share, _ := r.sys.Pressure()
		begun, handled, failed := r.known.begun.Load(), r.known.handled.Load(), r.known.failed.Load()
		sent := s.Accepted + s.Refused.Total() + s.Waiting
		if s.Accepted != s.Handled+s.Failed+s.DeadLetters.Total()+s.Queued || sent < finished || sent > begun ||
			s.Accepted < accepted || s.Handled > handled || s.Failed > failed {
			r.wrong = append(r.wrong, fmt.Sprintf("%d to %d sent, %d accepted, %d handled and %d failed, but it counts %+v",
				finished, begun, accepted, handled, failed, s))
		}
		if waiting > 1000 || share > 1 && !r.program.Calls {
			r.wrong = append(r.wrong, fmt.Sprintf("%d messages in a mailbox, %g of its capacity", waiting, share))
		}
		select {
		case <-over:
			return
		default:
			time.Sleep(stressShort)
		}
	}
}

// mistakes says what is wrong with the counts and the logs.
func (r *stressRun) mistakes(s mailbox.Stats) (list []string) {
	check := func(what string, got, least, most uint64) {
		if got < least || got > most {
			list = append(list, fmt.Sprintf("%s: %d is not within %d and %d in %+v", what, got, least, most, s))
		}
	}
	exactly := func(what string, got, want uint64) { check(what, got, want, want) }

	var all stressSender
	for _, s := range r.senders {
		all.accepted += s.accepted
		all.full += s.full
		all.stopped += s.stopped
		all.cancelled += s.cancelled
		all.unclear += s.unclear
		all.answered += s.answered
	}
	all.unclear += r.notices.Load()
	sent := all.accepted + all.full + all.stopped + all.cancelled + all.unclear
	timers := r.timers.Load()
	check("sent", s.Accepted+s.Refused.Total(), sent, sent+timers)
	all.unclear += timers
	check("accepted", s.Accepted, all.accepted, all.accepted+all.unclear)
	check("full", s.Refused.Full, all.full, all.full+timers)
	check("stopped", s.Refused.Stopped, all.stopped, all.stopped+all.unclear)
	check("cancelled", s.Refused.Cancelled, all.cancelled, all.cancelled+all.unclear)

	var handlers stressActor
	for _, a := range r.actors {
		handlers.handled += a.handled
		handlers.failed += a.failed
		handlers.panicked += a.panicked
		handlers.exited += a.exited
		handlers.started += a.started
		handlers.saved += a.saved
		handlers.saveFailures += a.saveFailures
		exactly("two messages at a time", uint64(a.overlaps.Load()), 0)
	}
	exactly("handled", s.Handled, handlers.handled)
	exactly("failed", s.Failed, handlers.failed)
	exactly("panicked", s.Panicked, handlers.panicked)
	exactly("exited", s.Exited, handlers.exited)
	exactly("dead letters", s.DeadLetters.Total(), s.Accepted-handlers.handled-handlers.failed)
	check("passivated", s.Passivated, 0, handlers.saved) // The others were saved before their end.
	exactly("not saved", s.SaveFailures, handlers.saveFailures)
	check("restarts", s.Restarts, 0, handlers.failed)
	check("starts", handlers.started, 0, uint64(len(r.actors))+uint64(len(r.named.log))+s.Restarts+s.Passivated)
	exactly("answers", r.heard.Load(), all.answered)
	check("late replies", s.LateReplies, 0, r.unheard.Load())
	exactly("left over", uint64(s.Processes+r.group.Len())+s.Waiting+s.Queued, 0)
	return slices.Concat(list, r.wrong, r.disorder())
}

// disorder says which messages were handled too often, or before those that
// their senders had sent before.
func (r *stressRun) disorder() (list []string) {
	taken := make(map[int]int)
	for _, s := range r.senders {
		for id, n := range s.taken {
			taken[id] += n
		}
		for id, n := range s.doubtful {
			taken[id] += n
		}
	}
	for _, a := range r.actors {
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

// TestStressFindsWhatIsWrong spoils what a run has found out, and what it
// compares that with.
func TestStressFindsWhatIsWrong(t *testing.T) {
	program := stressProgram{Steps: slices.Repeat([][]stressStep{slices.Repeat([]stressStep{{Do: actSend}}, 10)}, 2)}
	for i := range program.Settings {
		program.Settings[i] = modelSettings{Capacity: 4}
	}
	r := newStressRun(newStressService(t, program.Settings), program)
	r.play(t, r.shutdown)
	stats := r.sys.Stats()
	require.Empty(t, r.mistakes(stats))

	var a *stressActor // of the slot that all was sent to
	for _, a = range r.actors {
		if len(a.log) > 0 {
			break
		}
	}
	log := a.log
	require.Len(t, log, 20)
	next := 1 + slices.IndexFunc(log[1:], func(m stressMessage) bool { return m.sender == log[0].sender })
	a.log = slices.Clone(log)
	a.log[0], a.log[next] = log[next], log[0]
	assert.Len(t, r.disorder(), 1, "two are swapped")
	a.log = append(slices.Clone(log), log[0])
	assert.NotEmpty(t, r.disorder(), "one comes twice")
	a.log = log
	require.Empty(t, r.disorder())

	for name, planNext := range map[string]func(s *mailbox.Stats){
		"one is handled once more": func(s *mailbox.Stats) { s.Handled++ },
		"one is lost":              func(s *mailbox.Stats) { s.DeadLetters.Dropped++ },
		"one is not accepted":      func(s *mailbox.Stats) { s.Accepted-- },
		"one is refused":           func(s *mailbox.Stats) { s.Accepted--; s.Refused.Full++ },
	} {
		s := stats
		planNext(&s)
		assert.NotEmpty(t, r.mistakes(s), name)
	}

	over := make(chan struct{})
	close(over)
	for name, known := range map[string]*atomic.Uint64{
		"fewer begun": &r.known.begun, "more finished": &r.known.finished, "more accepted": &r.known.accepted,
		"fewer handled": &r.known.handled,
	} {
		before := known.Load()
		known.Store(before + 1)
		if strings.HasPrefix(name, "fewer") {
			known.Store(before - 1)
		}
		r.wrong = nil
		r.observe(over)
		assert.Len(t, r.wrong, 1, name)
		known.Store(before)
	}
}
