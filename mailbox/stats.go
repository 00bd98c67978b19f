// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// Stats counts messages. See the package documentation for how they add up.
type Stats struct {
	Processes     int         // now alive
	Accepted      uint64      // taken into a mailbox
	Refused       Refused     // not taken in
	Waiting       uint64      // senders now waiting for room
	Queued        uint64      // now in a mailbox or being handled
	Handled       uint64      // handler returned nil
	Failed        uint64      // handler returned an error, panicked or called Goexit
	DeadLetters   DeadLetters // accepted and never handled
	LateReplies   uint64      // answers to calls whose caller had gone
	Restarts      uint64      // of processes after a failure
	Passivated    uint64      // processes passivated
	SaveFailures  uint64      // times that the Save of an instance failed
	CloseFailures uint64      // times that the Close of an instance failed
	LateShed      uint64      // late spans that were beyond their bound
	EventsLost    uint64      // events that nobody was told of: a hook was too slow
	Slow          uint64      // handlings that took as long as [sampling.Late] calls slow
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

func (s *Stats) add(o Stats) {
	s.Processes += o.Processes
	s.Accepted += o.Accepted
	s.Refused.Full += o.Refused.Full
	s.Refused.Stopped += o.Refused.Stopped
	s.Refused.Cancelled += o.Refused.Cancelled
	s.Waiting += o.Waiting
	s.Queued += o.Queued
	s.Handled += o.Handled
	s.Failed += o.Failed
	s.Slow += o.Slow
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
}

// kindTotals is what the kinds of one name in a system share: the counts that no
// process keeps, and the load of late spans.
type kindTotals struct {
	sys  *System
	name string
	late *spans.Late

	lateReplies   atomic.Uint64
	refusedAfter  atomic.Uint64 // refused by processes that had ended
	restarts      atomic.Uint64
	passivated    atomic.Uint64
	saveFailures  atomic.Uint64
	closeFailures atomic.Uint64
	eventsLost    atomic.Uint64

	logged   gcra.Limiter  // of records about events
	unlogged atomic.Uint64 // since the last record that says how many

	// Guarded by the system's mu:
	retired Stats // counts of processes that have ended
	sum     Stats // of all, while they are being counted
}

func newKindTotals(sys *System, name string) *kindTotals {
	return &kindTotals{sys: sys, name: name, late: spans.NewLate()}
}

// statsLocked returns all but what the processes alive count.
func (t *kindTotals) statsLocked() Stats {
	n := t.retired
	n.Refused.Stopped += t.refusedAfter.Load()
	n.LateReplies = t.lateReplies.Load()
	n.Restarts = t.restarts.Load()
	n.Passivated = t.passivated.Load()
	n.SaveFailures = t.saveFailures.Load()
	n.CloseFailures = t.closeFailures.Load()
	n.LateShed = t.late.Shed()
	n.EventsLost = t.eventsLost.Load()
	n.Slow = t.late.Slow()
	return n
}

func (p *process[M]) totals() *kindTotals { return p.kind.totals }
