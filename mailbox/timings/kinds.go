// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"cmp"
	"maps"
	"slices"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// Kinds has the sums of kinds.
type Kinds struct {
	Period

	Kinds []Kind `json:"kinds"` // in the order of their names
}

// Kind is what all processes of a kind did in a period, those that were forgotten included.
type Kind struct {
	Kind string `json:"kind"`
	// Processes is how many processes are kept.
	Processes int `json:"processes"`
	// All is of all messages, and Types has a row for each type, the busiest first.
	All   Row   `json:"all"`
	Types []Row `json:"types"`
	// Forgotten is the part of All of which the store no longer knows the process.
	Forgotten Row `json:"forgotten"`
}

// Kinds returns the sums of all kinds that did something, or of the one that q asks for.
// Of q it takes Kind, Last and Minutes. What is forgotten while Kinds reads may be missed
// this time; nothing is counted twice.
func (s *Store) Kinds(q Query) Kinds {
	first, last := q.span(s)
	processes, rows := make(map[string]int), make(map[string][]minutes.Row)
	forgotten := s.minutes().Forgotten(first, last) // First, as its comment asks for.
	for kind, of := range forgotten {
		if len(of) > 0 && cmp.Or(q.Kind, kind) == kind {
			rows[kind] = slices.Clone(of)
		}
	}
	s.minutes().Each(q.Kind, first, last, func(kind, _ string, of []minutes.Row) {
		processes[kind]++
		rows[kind] = merged(rows[kind], of)
	})
	kinds := Kinds{Period: s.periodOf(first, last), Kinds: make([]Kind, 0, len(rows))}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		k := Kind{Kind: name, Processes: processes[name]}
		k.All, k.Types = kinds.rows(rows[name])
		k.Forgotten, _ = kinds.rows(forgotten[name])
		kinds.Kinds = append(kinds.Kinds, k)
	}
	return kinds
}

// merged adds more to rows, which have each type once.
func merged(rows, more []minutes.Row) []minutes.Row {
	for i := range more {
		at := slices.IndexFunc(rows, func(r minutes.Row) bool { return r.Type == more[i].Type })
		if at < 0 {
			rows = append(rows, more[i])
			continue
		}
		rows[at].Add(&more[i].Sums)
	}
	return rows
}
