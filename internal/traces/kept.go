// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// scanned is how many IDs of spans are looked through one by one.
	scanned = 32
	// mostResources is how many resources the spans of one trace may have, and mostLate how
	// many late reasons are told apart.
	mostResources = 1024
	mostLate      = 16
	// mostFree is how many traces that were forgotten are used again, and freeItems how many
	// spans these have room for.
	mostFree  = 64
	freeItems = 32
)

// kept is a trace that is kept.
type kept struct {
	id    trace.TraceID
	links [orders]link
	class class

	items     []item                    // its spans, in the order in which they came
	known     map[trace.SpanID]struct{} // their IDs, if they are many
	resources []*sharedResource         // theirs, each once
	bytes     int                       // of all that, without the resources
	shared    int                       // bytes of the resources, which other traces have too
	leftOut   int                       // spans that are not here, or no longer
	forgotten bool                      // it was forgotten before, so its times are not all known

	incomplete bool   // spans may have been dropped
	changes    uint32 // of the intake, when it got its last span

	head      sdktrace.ReadOnlySpan // the span that the trace is named after; nil if there is none
	headRank  rank
	headStart int64

	// Of all its spans since it is kept, those left out included.
	observed   bool // there was one
	start, end int64
	errors     int
	late       []string // distinct reasons

	counted counted // where the duration was counted
}

// item is a span with its ID.
type item struct {
	span sdktrace.ReadOnlySpan
	id   trace.SpanID
}

// reset makes t empty, so that it can be used again, and reports whether it is small enough
// for that.
func (t *kept) reset() bool {
	clear(t.items)
	clear(t.resources)
	t.items, t.resources = t.items[:0], t.resources[:0]
	t.known, t.head, t.late, t.counted, t.observed = nil, nil, nil, counted{}, false
	t.class, t.headRank, t.bytes, t.shared, t.errors = recent, inner, 0, 0, 0
	return cap(t.items) <= freeItems && cap(t.resources) <= freeItems
}

// has reports whether the span with that ID is here.
func (t *kept) has(id trace.SpanID) bool {
	if t.known != nil {
		_, ok := t.known[id]
		return ok
	}
	for i := range t.items {
		if t.items[i].id == id {
			return true
		}
	}
	return false
}

// observe takes note of a span, kept or not.
func (t *kept) observe(e *entry) {
	if !t.observed {
		t.start, t.end, t.observed = e.start, e.end, true
	}
	t.start, t.end = min(t.start, e.start), max(t.end, e.end)
	if e.failed {
		t.errors++
	}
	if e.late != "" && len(t.late) < mostLate && !slices.Contains(t.late, e.late) {
		t.late = append(t.late, e.late)
	}
}

// duration returns the time from the first start to the last end.
func (t *kept) duration() time.Duration {
	if t.end <= t.start {
		return 0
	}
	if took := t.end - t.start; took > 0 {
		return time.Duration(took)
	}
	return math.MaxInt64 // The difference has no place in 64 bits.
}

// uses reports whether a span here has that resource.
func (t *kept) uses(r *resource.Resource) bool {
	for _, shared := range t.resources {
		if shared.of == r {
			return true
		}
	}
	return false
}

// add adds a span, and reports whether the trace is named after it now.
func (t *kept) add(e *entry) bool {
	if t.items == nil {
		t.items = make([]item, 0, 4)
	}
	t.items = append(t.items, item{e.span, e.id})
	switch {
	case t.known != nil:
		t.known[e.id] = struct{}{}
	case len(t.items) > scanned:
		t.known = make(map[trace.SpanID]struct{}, 2*scanned)
		for i := range t.items {
			t.known[t.items[i].id] = struct{}{}
		}
	}
	if t.head != nil && (e.rank < t.headRank || e.rank == t.headRank && e.start >= t.headStart) {
		return false
	}
	t.head, t.headRank, t.headStart = e.span, e.rank, e.start
	return true
}

// overhead returns how many bytes the slices and the map take.
func (t *kept) overhead() int { return cap(t.items)*itemBytes + len(t.known)*idBytes }
