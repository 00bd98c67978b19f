// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

// EndOf returns the reading at which a minute ends.
func (s *Store) EndOf(minute int64) int64 { return s.endOf(minute) }

// What the bounds are.
const (
	MaxTypes       = maxTypes
	MaxTypesOfKind = maxTypesOfKind
	ProcessShare   = processShare
)

// Shards returns how many parts the store has.
func (s *Store) Shards() int { return len(s.shards) }
