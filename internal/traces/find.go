// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"slices"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Trace is what is kept of one trace.
type Trace struct {
	ID      trace.TraceID
	Spans   []sdktrace.ReadOnlySpan // by their start; the slice belongs to the caller
	LeftOut int                     // spans that were seen and are not here
	// Incomplete is true if more spans may be missing, because too many came at once.
	Incomplete bool
}

// Trace returns what is kept of a trace, and false if that is nothing.
func (s *Store) Trace(id trace.TraceID) (Trace, bool) {
	found, ok := s.spansOf(id)
	slices.SortStableFunc(found.Spans, func(a, b sdktrace.ReadOnlySpan) int {
		return a.StartTime().Compare(b.StartTime())
	})
	return found, ok
}

// Has reports whether something is kept of a trace.
func (s *Store) Has(id trace.TraceID) bool {
	s.lock()
	defer s.mu.Unlock()
	return s.traces[id] != nil
}

func (s *Store) spansOf(id trace.TraceID) (Trace, bool) {
	s.lock()
	defer s.mu.Unlock()
	t := s.traces[id]
	if t == nil {
		return Trace{}, false
	}
	found := Trace{ID: id, Spans: make([]sdktrace.ReadOnlySpan, len(t.items)), LeftOut: t.leftOut, Incomplete: t.incomplete}
	for i := range t.items {
		found.Spans[i] = t.items[i].span
	}
	return found, true
}

// Filter says which traces to find. A field that is zero is true of every trace.
type Filter struct {
	Service string        // a span is of the service with that name
	Name    string        // the name of a span has this in it, in letters of any case
	AtLeast time.Duration // it took as long
	Failed  bool          // a span has an error
	Late    string        // a span is late for that reason; "any" for any
	Limit   int           // how many are found at most; 50 by default
}

const defaultLimit = 50

// anyReason is what Filter.Late may be.
const anyReason = "any"

// Summary is what a list tells of a trace.
type Summary struct {
	ID       trace.TraceID
	Name     string   // of the root, or of the earliest span
	Service  string   // of the same span
	Services []string // of all spans, each once, sorted
	// Start is when the earliest span started. Duration is the time until the last one ended.
	Start    time.Time
	Duration time.Duration
	Spans    int // that are kept
	LeftOut  int // spans that were seen and are not kept, or no longer
	// Errors counts the spans with an error, also among those left out since the trace is kept.
	Errors int
	Late   []string // why spans of it were made late, each reason once
	Kept   Reason   // why it is kept
	// RootMissing is true if no span without a parent is there, because it has not ended yet,
	// is of another process, or was lost.
	RootMissing bool
	// Incomplete is true if more spans than LeftOut may be missing, because too many came at
	// once.
	Incomplete bool
}

// Find returns the traces to which filter applies, and whether there are more than its limit.
// The latest come first: those whose first span to end has ended last.
func (s *Store) Find(filter Filter) (found []Summary, more bool) {
	limit := filter.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	s.lock()
	defer s.mu.Unlock()
	for t := s.arrived.last; t != nil; t = t.links[byArrival].before {
		if !filter.match(t) {
			continue
		}
		if len(found) == limit {
			return found, true
		}
		found = append(found, t.summary())
	}
	return found, false
}

func (f *Filter) match(t *kept) bool {
	switch {
	case f.AtLeast > 0 && t.duration() < f.AtLeast,
		f.Failed && t.errors == 0,
		f.Late == anyReason && len(t.late) == 0,
		f.Late != "" && f.Late != anyReason && !slices.Contains(t.late, f.Late):
		return false
	}
	return (f.Service == "" || slices.ContainsFunc(t.resources, f.isService)) &&
		(f.Name == "" || slices.ContainsFunc(t.items, f.isNamed))
}

func (f *Filter) isService(r *sharedResource) bool { return r.service == f.Service }

func (f *Filter) isNamed(i item) bool { return containsFold(i.span.Name(), f.Name) }

// containsFold reports whether part is in s, in letters of any case.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

func (t *kept) summary() Summary {
	sum := Summary{
		ID: t.id, Start: time.Unix(0, t.start).UTC(), Duration: t.duration(),
		Spans: len(t.items), LeftOut: t.leftOut, Errors: t.errors,
		Late: slices.Clone(t.late), Kept: reasons[t.class], RootMissing: t.headRank < root, Incomplete: t.incomplete,
	}
	for _, r := range t.resources {
		if !slices.Contains(sum.Services, r.service) {
			sum.Services = append(sum.Services, r.service)
		}
		if t.head != nil && t.head.Resource() == r.of {
			sum.Name, sum.Service = t.head.Name(), r.service
		}
	}
	slices.Sort(sum.Services)
	return sum
}
