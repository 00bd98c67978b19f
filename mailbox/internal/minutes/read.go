// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

import (
	"hash/maphash"
	"slices"
)

// Row is what is known of messages of one type.
type Row struct {
	Type string
	Sums
}

// Minute is a process in one minute.
type Minute struct {
	Minute int64
	Rows   []Row // in no order
}

// Each calls visit for each process of which anything is kept in the minutes from first to
// last. If kind is not empty, only processes of that kind are visited. rows may have a type
// more than once, is in no order, and belongs to Each again when visit returns. visit must
// not use the store, and must not block: messages of other processes may wait for it.
func (s *Store) Each(kind string, first, last int64, visit func(kind, id string, rows []Row)) {
	var rows []Row
	for i := range s.shards {
		s.shards[i].each(first, last, func(r *record, group []*record) {
			if kind != "" && r.kind.name != kind {
				return
			}
			rows = rows[:0]
			for _, r := range group {
				rows = r.appendRows(rows)
			}
			visit(r.kind.name, r.id, rows)
		})
	}
}

// each calls visit with the records of each process in those minutes.
func (s *shard) each(first, last int64, visit func(r *record, group []*record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	within := func(r *record) bool { return first <= r.minute && r.minute <= last }
	var group []*record
	for _, bucket := range s.buckets {
		for r := bucket; r != nil; r = r.next {
			if !within(r) || seen(bucket, r, within) {
				continue
			}
			group = group[:0]
			for other := r; other != nil; other = other.next {
				if within(other) && other.is(&r.key) {
					group = append(group, other)
				}
			}
			visit(r, group)
		}
	}
}

// seen reports whether a record before r in its bucket is of the same process.
func seen(bucket, r *record, within func(*record) bool) bool {
	for other := bucket; other != r; other = other.next {
		if within(other) && other.is(&r.key) {
			return true
		}
	}
	return false
}

func (r *record) appendRows(rows []Row) []Row {
	for i := range r.rows {
		rows = append(rows, Row{r.rows[i].series.typ, r.rows[i].sums})
	}
	return rows
}

// Minutes returns what is kept of one process in the minutes from first on, the oldest
// first.
func (s *Store) Minutes(kind, id string, first int64) []Minute {
	s.mu.Lock()
	k, ok := s.kinds[kind]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	p := key{k, id, maphash.String(s.seed, id) ^ k.salt}
	found := s.shardOf(p.hash).minutes(&p, first)
	slices.SortFunc(found, func(a, b Minute) int { return int(a.Minute - b.Minute) })
	return found
}

func (s *shard) minutes(p *key, first int64) (found []Minute) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		return nil
	}
	for r := *s.bucket(p.hash); r != nil; r = r.next {
		if r.minute >= first && r.is(p) {
			found = append(found, Minute{r.minute, r.appendRows(nil)})
		}
	}
	return found
}

// Forgotten returns what was forgotten in the minutes from first to last, by kind. A kind
// of which nothing was forgotten has no rows. Who wants everything reads this first, and
// what is kept after it: what is forgotten in between is then missed, and not counted
// twice.
func (s *Store) Forgotten(first, last int64) map[string][]Row {
	all := make(map[string][]Row)
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.kinds {
		rows := k.others.appendForgotten(nil, first, last)
		for _, series := range k.byName {
			rows = series.appendForgotten(rows, first, last)
		}
		all[name] = rows
	}
	return all
}

func (s *series) appendForgotten(rows []Row, first, last int64) []Row {
	if sums := s.forgotten(first, last); sums != (Sums{}) {
		rows = append(rows, Row{s.typ, sums})
	}
	return rows
}
