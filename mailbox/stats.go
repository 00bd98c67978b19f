// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/internal/observe"
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

func (s *Stats) add(o *Stats) {
	s.Processes += o.Processes
	observe.Add(figures, s, o)
}

// kindTotals is what the kinds of one name in a system share: the counts that no
// process keeps, and the load of late spans.
type kindTotals struct {
	sys  *System
	name string
	late *spans.Late

	own observe.Tally[Stats] // what is counted here

	logged   gcra.Limiter  // of records about events
	unlogged atomic.Uint64 // since the last record that says how many

	// Guarded by the system's mu:
	retired Stats // counts of processes that have ended
	sum     Stats // of all, while they are being counted
	added   Stats // of one, while it is added to one of the above: that allocates nothing
}

func newKindTotals(sys *System, name string) *kindTotals {
	return &kindTotals{sys: sys, name: name, late: spans.NewLate()}
}

// statsLocked returns all but what the processes alive count.
func (t *kindTotals) statsLocked() Stats {
	n := t.retired
	here := t.own.Load(figures)
	here.LateShed, here.Slow = t.late.Shed(), t.late.Slow()
	n.add(&here)
	return n
}

func (p *process[M]) totals() *kindTotals { return p.kind.totals }
