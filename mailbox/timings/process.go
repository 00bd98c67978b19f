// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import "github.com/waybill-go/waybill/mailbox/internal/minutes"

// Minute is what one process did in a minute.
type Minute struct {
	Period

	// All is of all messages, and Types has a row for each type, the busiest first.
	All   Row   `json:"all"`
	Types []Row `json:"types"`
}

// Process returns the minutes of one process that are kept, the oldest first. A minute in
// which the process handled nothing, or which was forgotten, is left out.
func (s *Store) Process(kind, id string) []Minute {
	now, _ := s.minutes().Now()
	found := s.minutes().Minutes(kind, id, now-minutes.Keep+1)
	kept := make([]Minute, 0, len(found))
	for _, f := range found {
		m := Minute{Period: s.periodOf(f.Minute, f.Minute)}
		m.All, m.Types = m.rows(f.Rows)
		kept = append(kept, m)
	}
	return kept
}
