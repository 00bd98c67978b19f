// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// maxSeen is how many traces are remembered, at 32 bytes and more each.
const maxSeen = 8192

// seen remembers the latest traces of posts. A trace that comes again is not continued:
// whoever sends it would make one of all their posts, or join somebody else's, whose
// ID they got with a message.
type seen struct {
	mu     sync.Mutex
	traces map[trace.TraceID]struct{}
	ring   [maxSeen]trace.TraceID
	next   int
}

func newSeen() *seen { return &seen{traces: make(map[trace.TraceID]struct{})} }

// first reports whether a trace was not seen before, of the latest ones.
func (s *seen) first(id trace.TraceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.traces[id]; ok {
		return false
	}
	delete(s.traces, s.ring[s.next])
	s.ring[s.next] = id
	s.next = (s.next + 1) % maxSeen
	s.traces[id] = struct{}{}
	return true
}
