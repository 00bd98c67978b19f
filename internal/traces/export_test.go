// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

// Hold keeps the store from all others, as a reader does that works for long.
func (s *Store) Hold() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// Names returns how many names of traces are known.
func (s *Store) Names() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names.byName)
}
