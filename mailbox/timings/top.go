// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"cmp"
	"slices"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// Order is the order of processes.
type Order int

const (
	// ByShare has the busiest process first.
	ByShare Order = iota
	// ByLongest has the process with the longest handling first.
	ByLongest
	// ByWait has the process first whose messages had waited longest, all together.
	ByWait
	// ByName goes by kind, and then by ID.
	ByName
)

const (
	defaultLimit = 20
	maxLimit     = 1000
)

// Query says what is asked for. The zero value asks for the busiest 20 processes of the
// running minute.
type Query struct {
	// Kind is the kind of the processes. All kinds by default.
	Kind string
	// Last is a time in the last minute that is asked for. By default that is the running
	// minute.
	Last time.Time
	// Minutes is the number of minutes, which follow each other: 1 by default, 60 at most.
	Minutes int
	// By is the order of the processes.
	By Order
	// Limit is how many processes there are at most: 20 by default, 1000 at most.
	Limit int
}

// span returns the first and the last minute that q asks for.
func (q *Query) span(s *Store) (first, last int64) {
	last, _ = s.minutes().Now()
	oldest := last - minutes.Keep + 1
	if !q.Last.IsZero() {
		last = min(last, q.Last.Unix()/60)
	}
	return min(max(last-min(int64(max(q.Minutes, 1)), minutes.Keep)+1, oldest), last), last
}

// Top has processes in an order.
type Top struct {
	Period

	Processes []Process `json:"processes"`
	// More is how many further processes were kept, beyond the limit. Processes that were
	// forgotten are not among them.
	More int `json:"more"`
}

// Process is what one process did in a period.
type Process struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// All is of all messages, and Types has a row for each type, the busiest first.
	All   Row   `json:"all"`
	Types []Row `json:"types"`
}

// Top returns the first processes in the order that q asks for. A process of which some
// minutes were forgotten has only what is kept.
func (s *Store) Top(q Query) Top {
	first, last := q.span(s)
	r := ranking{by: q.By, limit: min(cmp.Or(max(q.Limit, 0), defaultLimit), maxLimit)}
	s.minutes().Each(q.Kind, first, last, r.visit)
	top := Top{Period: s.periodOf(first, last), Processes: make([]Process, 0, len(r.found)), More: r.more}
	for i := range r.found {
		f := &r.found[i]
		p := Process{Kind: f.kind, ID: f.id}
		p.All, p.Types = top.rows(f.rows)
		top.Processes = append(top.Processes, p)
	}
	return top
}

// ranking has the first processes in an order, as many as there may be.
type ranking struct {
	by    Order
	limit int
	found []ranked
	more  int
}

type ranked struct {
	kind, id string
	all      minutes.Sums
	rows     []minutes.Row
}

func (r *ranking) visit(kind, id string, rows []minutes.Row) {
	p := ranked{kind: kind, id: id}
	for i := range rows {
		p.all.Add(&rows[i].Sums)
	}
	at, _ := slices.BinarySearchFunc(r.found, &p, func(a ranked, b *ranked) int { return r.compare(&a, b) })
	if at == r.limit {
		r.more++
		return
	}
	if len(r.found) == r.limit {
		r.found = r.found[:r.limit-1]
		r.more++
	}
	p.rows = slices.Clone(rows)
	r.found = slices.Insert(r.found, at, p)
}

func (r *ranking) compare(a, b *ranked) int {
	first := 0
	switch r.by {
	case ByLongest:
		first = cmp.Compare(b.all.Longest, a.all.Longest)
	case ByWait:
		first = cmp.Compare(b.all.Waited, a.all.Waited)
	case ByName:
	case ByShare:
		first = cmp.Compare(b.all.Busy, a.all.Busy)
	}
	return cmp.Or(first, cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
}
