// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"hash/maphash"
	"unsafe"
)

// DistinctStats returns counts that are all different, and not zero.
func DistinctStats() Stats {
	return Stats{
		1, 2, Refused{3, 4, 5}, 6, 7, 8, 9, DeadLetters{10, 11, 12, 13}, 14, 15, 16, 17, 18, 19, 20, 21,
	}
}

// AddStats returns the sum of both.
func AddStats(a, b Stats) Stats {
	a.add(b)
	return a
}

// MetricsOf returns what the metrics make of s, by name and reason.
func MetricsOf(s Stats) map[string]uint64 {
	values := make(map[string]uint64, len(figures))
	for _, f := range figures {
		name := f.Name
		for _, reason := range f.Attrs {
			name += " " + reason.Value.AsString()
		}
		values[name] = f.Value(s)
	}
	return values
}

// Index is an index of processes that never run.
type Index struct{ index[int] }

// NewIndex returns an empty index.
func NewIndex() *Index { return new(Index) }

// NewDeepIndex returns one whose only page cannot be split.
func NewDeepIndex() *Index {
	x := NewIndex()
	x.seed = maphash.MakeSeed()
	x.pages = []*indexPage[int]{newIndexPage[int](indexDepth)}
	return x
}

func (x *Index) Add(id string) Ref[int] {
	p := &process[int]{id: id}
	x.add(p)
	return Ref[int]{p}
}

func (x *Index) Get(id string) Ref[int] { return Ref[int]{x.get(id)} }
func (x *Index) Remove(ref Ref[int])    { x.remove(ref.p) }
func (x *Index) each(f func(*indexPage[int])) {
	seen := make(map[*indexPage[int]]bool)
	for _, page := range x.pages {
		if !seen[page] {
			f(page)
		}
		seen[page] = true
	}
}

// Len returns how many processes it holds.
func (x *Index) Len() (n int) {
	x.each(func(page *indexPage[int]) { n += len(page.processes) })
	return n
}

// Kept returns how many processes it refers to.
func (x *Index) Kept() (n int) {
	x.each(func(page *indexPage[int]) {
		for _, p := range page.processes[:cap(page.processes)] {
			if p != nil {
				n++
			}
		}
	})
	return n
}

// Bytes returns what it takes.
func (x *Index) Bytes() (n int) {
	x.each(func(page *indexPage[int]) { n += int(unsafe.Sizeof(*page)) })
	return n + 8*cap(x.pages)
}

// Waiting returns how many processes wait for a worker, and in how many chunks.
func (s *System) Waiting() (processes, chunks int) {
	s.sched.mu.Lock()
	defer s.sched.mu.Unlock()
	for c := s.sched.queue.head; c != nil; c = c.next {
		chunks++
	}
	return s.sched.queue.len, chunks
}

// LateAllowed returns how many of n late spans at one time a limit of that many
// per second allows.
func LateAllowed(n int, perSecond float64) (allowed int) {
	var l lateLimit
	for range n {
		if l.allow(1, perSecond) {
			allowed++
		}
	}
	return allowed
}
