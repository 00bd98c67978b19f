// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// Clients are simulated ones, numbered over all nodes: First, First + Step and so on, below
// End.
type Clients struct {
	First    int           `json:"first"`
	Step     int           `json:"step"`
	End      int           `json:"end"`
	Guilds   int           `json:"guilds"` // that they are spread over, from 1
	SlowFrom int           `json:"slow_from"`
	SlowTo   int           `json:"slow_to"`  // Those from SlowFrom on and below it are slow.
	SlowFor  time.Duration `json:"slow_for"` // which they take for a message
}

// Len returns how many there are.
func (c Clients) Len() int {
	if c.First >= c.End {
		return 0
	}
	return (c.End - c.First + c.Step - 1) / c.Step
}

// client makes the i-th client of all.
func (c Clients) client(i int, ledger *load.Ledger) *load.Client {
	one := &load.Client{Ledger: ledger, Guild: i%c.Guilds + 1}
	if i >= c.SlowFrom && i < c.SlowTo {
		one.Each = c.SlowFor
	}
	return one
}

// State is what a node has done so far.
type State struct {
	Joined    int64             `json:"joined"` // clients that are in their guilds, each once
	Taken     int64             `json:"taken"`  // messages that they have taken,
	Told      int64             `json:"told"`   // and that they were told are gone
	Reached   []load.Reached    `json:"reached"`
	Connected int64             `json:"connected"` // sessions that have been in a guild
	Sessions  sessions.Counts   `json:"sessions"`
	Traffic   Traffic           `json:"traffic"`
	Exports   telemetry.Exports `json:"exports"`
	Latency   map[int]int64     `json:"latency,omitempty"` // of all deliveries, where the node has settled
	Failure   string            `json:"failure,omitempty"` // what went wrong first
	Sampling  sampling.Config   `json:"sampling"`          // what its tracing follows; not in sums
}

// Traffic counts the messages to sessions.
type Traffic struct {
	Sessions    int    `json:"sessions"` // now
	Accepted    uint64 `json:"accepted"`
	Handled     uint64 `json:"handled"`
	Refused     uint64 `json:"refused"`
	DeadLetters uint64 `json:"dead_letters"`
	Slow        uint64 `json:"slow"` // handlings
}

// TrafficOf returns what the figures of a session service say of it.
func TrafficOf(n mailbox.Stats) Traffic {
	return Traffic{
		Sessions: n.Processes, Accepted: n.Accepted, Handled: n.Handled,
		Refused: n.Refused.Total(), DeadLetters: n.DeadLetters.Total(), Slow: n.Slow,
	}
}

// Plus returns the sum of both.
func (t Traffic) Plus(o Traffic) Traffic {
	return Traffic{
		Sessions: t.Sessions + o.Sessions, Accepted: t.Accepted + o.Accepted, Handled: t.Handled + o.Handled,
		Refused: t.Refused + o.Refused, DeadLetters: t.DeadLetters + o.DeadLetters, Slow: t.Slow + o.Slow,
	}
}

// Plus returns the sum of both, without how far which clients have come.
func (s State) Plus(o State) State {
	sum := State{
		Joined: s.Joined + o.Joined, Taken: s.Taken + o.Taken, Told: s.Told + o.Told,
		Connected: s.Connected + o.Connected, Sessions: s.Sessions.Plus(o.Sessions),
		Traffic: s.Traffic.Plus(o.Traffic), Exports: s.Exports.Plus(o.Exports),
		Latency: make(map[int]int64), Failure: s.Failure,
	}
	if sum.Failure == "" {
		sum.Failure = o.Failure
	}
	for _, latency := range []map[int]int64{s.Latency, o.Latency} {
		for bucket, n := range latency {
			sum.Latency[bucket] += n
		}
	}
	return sum
}
