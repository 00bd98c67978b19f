// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/durations"
	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// Stats counts messages. See the package documentation for how they add up.
type Stats struct {
	Accepted      uint64      // taken into a mailbox
	Refused       Refused     // not taken in
	Waiting       uint64      // senders now waiting for room
	Queued        uint64      // now in a mailbox or being handled
	Handled       uint64      // handler returned nil
	Failed        uint64      // handler returned an error, panicked or called Goexit
	Panicked      uint64      // of those that Failed counts: handler panicked
	Exited        uint64      // of those that Failed counts: handler called Goexit
	DeadLetters   DeadLetters // accepted and never handled
	LateReplies   uint64      // answers to calls whose caller had gone
	Restarts      uint64      // of processes after a failure
	Passivated    uint64      // processes passivated
	SaveFailures  uint64      // times that the Save of an instance failed
	CloseFailures uint64      // times that the Close of an instance failed
	LateShed      uint64      // late spans that were beyond their bound
	EventsLost    uint64      // events that nobody was told of: a hook was too slow
	Slow          uint64      // handlings that took as long as [sampling.Late] calls slow
	Processes     int         // now alive
}

// Refused counts the messages that were not taken in, by reason.
type Refused struct {
	Full      uint64 // no room
	Stopped   uint64 // the process takes no more
	Cancelled uint64 // the sender's context ended while it waited
}

// Total returns the sum over all reasons.
func (r Refused) Total() uint64 { return r.Full + r.Stopped + r.Cancelled }

// DeadLetters counts the messages that were accepted and never handled, by reason.
type DeadLetters struct {
	Killed  uint64 // the process was killed
	Failed  uint64 // the process ended by a failure
	Dropped uint64 // a newer message took the place
	Expired uint64 // a call whose caller had gone
}

// Total returns the sum over all reasons.
func (d DeadLetters) Total() uint64 { return d.Killed + d.Failed + d.Dropped + d.Expired }

// add adds o, as it does for each process of a system when somebody wants to know: a
// table of the fields would take twice as long.
func (s *Stats) add(o *Stats) {
	s.Accepted += o.Accepted
	s.Refused.Full += o.Refused.Full
	s.Refused.Stopped += o.Refused.Stopped
	s.Refused.Cancelled += o.Refused.Cancelled
	s.Waiting += o.Waiting
	s.Queued += o.Queued
	s.Handled += o.Handled
	s.Failed += o.Failed
	s.Panicked += o.Panicked
	s.Exited += o.Exited
	s.DeadLetters.Killed += o.DeadLetters.Killed
	s.DeadLetters.Failed += o.DeadLetters.Failed
	s.DeadLetters.Dropped += o.DeadLetters.Dropped
	s.DeadLetters.Expired += o.DeadLetters.Expired
	s.LateReplies += o.LateReplies
	s.Restarts += o.Restarts
	s.Passivated += o.Passivated
	s.SaveFailures += o.SaveFailures
	s.CloseFailures += o.CloseFailures
	s.LateShed += o.LateShed
	s.EventsLost += o.EventsLost
	s.Slow += o.Slow
	s.Processes += o.Processes
}

// figures are the metrics of all that [Stats] counts.
var figures = []observe.Field[Stats]{
	observe.NewReading("waybill.mailbox.processes", "{process}", "Processes now alive.",
		func(s Stats) uint64 { return uint64(s.Processes) }).Falling(),
	figure("accepted", "{message}", "Messages taken into a mailbox.", func(s *Stats) *uint64 { return &s.Accepted }),
	refusedFigure("full", func(s *Stats) *uint64 { return &s.Refused.Full }),
	refusedFigure("stopped", func(s *Stats) *uint64 { return &s.Refused.Stopped }),
	refusedFigure("cancelled", func(s *Stats) *uint64 { return &s.Refused.Cancelled }),
	figure("waiting", "{sender}", "Senders now waiting for room.",
		func(s *Stats) *uint64 { return &s.Waiting }).Falling(),
	figure("queued", "{message}", "Messages now in a mailbox or being handled.",
		func(s *Stats) *uint64 { return &s.Queued }).Falling(),
	figure("handled", "{message}", "Messages whose handler returned nil.", func(s *Stats) *uint64 { return &s.Handled }),
	observe.NewReading("waybill.mailbox.failed", "{message}", failedMeans,
		func(s Stats) uint64 { return s.Failed - s.Panicked - s.Exited }).With(keys.MailboxReason.String("error")),
	failedFigure("panic", func(s *Stats) *uint64 { return &s.Panicked }),
	failedFigure("goexit", func(s *Stats) *uint64 { return &s.Exited }),
	deadLetterFigure("killed", func(s *Stats) *uint64 { return &s.DeadLetters.Killed }),
	deadLetterFigure("failed", func(s *Stats) *uint64 { return &s.DeadLetters.Failed }),
	deadLetterFigure("dropped", func(s *Stats) *uint64 { return &s.DeadLetters.Dropped }),
	deadLetterFigure("expired", func(s *Stats) *uint64 { return &s.DeadLetters.Expired }),
	figure("late_replies", "{reply}", "Answers to calls whose caller had gone.",
		func(s *Stats) *uint64 { return &s.LateReplies }),
	figure("restarts", "{restart}", "Restarts of processes after a failure.", func(s *Stats) *uint64 { return &s.Restarts }),
	figure("passivated", "{process}", "Processes passivated while idle.", func(s *Stats) *uint64 { return &s.Passivated }),
	figure("save_failures", "{failure}", "Failures to save the state of a process.",
		func(s *Stats) *uint64 { return &s.SaveFailures }),
	figure("close_failures", "{failure}", "Failures to close the state of a process.",
		func(s *Stats) *uint64 { return &s.CloseFailures }),
	figure("late.shed", "{span}", "Late spans that were beyond their bound.", func(s *Stats) *uint64 { return &s.LateShed }),
	figure("events.lost", "{event}", "Events that nobody was told of, because a hook was too slow.",
		func(s *Stats) *uint64 { return &s.EventsLost }),
	figure("slow", "{message}", "Messages whose handling was slow, where it is configured what that is.",
		func(s *Stats) *uint64 { return &s.Slow }),
}

func figure(name, unit, description string, of func(*Stats) *uint64) observe.Field[Stats] {
	return observe.NewField("waybill.mailbox."+name, unit, description, of)
}

const failedMeans = "Messages whose handler failed."

func failedFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("failed", "{message}", failedMeans, of).With(keys.MailboxReason.String(reason))
}

func refusedFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("refused", "{message}", "Messages that were not taken in.", of).With(keys.MailboxReason.String(reason))
}

func deadLetterFigure(reason string, of func(*Stats) *uint64) observe.Field[Stats] {
	return figure("dead_letters", "{message}", "Messages accepted and never handled.", of).With(keys.MailboxReason.String(reason))
}

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

// kindTotals is what the kinds of one name in a system share: the counts that no
// process keeps, and what their spans share.
type kindTotals struct {
	name string
	made *spans.Totals

	own observe.Tally[Stats] // what is counted here

	logged   gcra.Limiter  // of records about events
	unlogged atomic.Uint64 // since the last record that says how many

	// Guarded by the system's mu:
	durations *durations.Place // nil until somebody wants to know them
	retired   Stats            // counts of processes that have ended
	sum       Stats            // of all, while they are being counted
	most      pressure         // likewise
	added     Stats            // of one, while it is added to one of the above: that allocates nothing
}

func newKindTotals(name string) *kindTotals {
	return &kindTotals{name: name, made: spans.NewTotals()}
}

// statsLocked returns all but what the processes alive count.
func (t *kindTotals) statsLocked() Stats {
	n := t.retired
	here := t.own.Load(figures)
	here.LateShed, here.Slow = t.made.Shed(), t.made.Slow()
	n.add(&here)
	return n
}
