// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says how much a [Store] keeps. A field that is zero means the default.
type Config struct {
	// Bytes is about how much memory the store takes, everything included; 16 MiB by default,
	// and 1 MiB at least.
	Bytes int
	// Spans is how many spans of one trace are kept; 10,000 by default. One trace never gets
	// more than a quarter of Bytes either. One root is kept beyond that.
	Spans int
	// PerSecond is about how many spans of the SDK are taken in a second; 20,000 by default. A
	// negative number means that there is no limit. If more come, the store takes a share of the
	// traces only, chosen by their IDs, so that it costs little at any rate.
	PerSecond int
}

const (
	defaultBytes = 16 << 20
	leastBytes   = 1 << 20
	defaultSpans = 10_000

	defaultPerSecond = 20_000
)

// Shares of the bytes.
const (
	reservedPart = 2  // half for traces that are kept longer
	tracePart    = 4  // at most a quarter for one trace
	pendingPart  = 16 // a sixteenth for spans that are pending
	gonePart     = 32 // a 32nd for the IDs of traces that were forgotten
)

// Reason is why a trace is kept.
type Reason string

// The reasons, the weakest first. A trace has the strongest one that is true of it.
const (
	Recent Reason = "recent" // it is one of the last
	Slow   Reason = "slow"   // it took longer than most traces whose root has that name
	Late   Reason = "late"   // one of its spans was made late
	Failed Reason = "failed" // one of its spans has an error
)

// class is a [Reason] as a number; a larger one is stronger.
type class uint8

const (
	recent class = iota
	slow
	late
	failed
	classes
)

var reasons = [classes]Reason{Recent, Slow, Late, Failed}

// Store keeps the last traces. Make one with [New].
type Store struct {
	limits   limits
	intake   intake
	pending  pending
	watchers watchers

	mu         sync.Mutex
	taken      []entry // an empty slice for what is pending next
	last       *kept   // which got the last span; nil if it was forgotten
	traces     map[trace.TraceID]*kept
	arrived    list          // all, in the order of their first spans
	classes    [classes]list // each in the order of their last spans
	free       []*kept       // for use again
	names      *durations
	gone       forgotten
	resources  resources
	broadcasts broadcasts
	totals     Totals
	used       int          // bytes
	usedBy     [classes]int // of these, without resources
}

// limits says how much is kept.
type limits struct {
	spans int // of a trace
	trace int // bytes of a trace
	// reserved is how many bytes the classes above recent may take from that.
	reserved int
	bytes    int // of all traces
	most     int // bytes of the whole store
}

// New makes a Store that keeps what config says.
func New(config Config) *Store {
	if config.Bytes <= 0 {
		config.Bytes = defaultBytes
	}
	if config.Spans <= 0 {
		config.Spans = defaultSpans
	}
	if config.PerSecond == 0 {
		config.PerSecond = defaultPerSecond
	}
	most := max(config.Bytes, leastBytes)
	s := &Store{
		pending:   newPending(most / pendingPart),
		traces:    make(map[trace.TraceID]*kept),
		arrived:   list{which: byArrival},
		names:     newDurations(),
		gone:      newForgotten(most / gonePart),
		resources: make(resources),
	}
	for i := range s.classes {
		s.classes[i].which = byUse
	}
	s.intake.init(config.PerSecond)
	bytes := most - most/pendingPart - most/gonePart - fixedBytes
	s.limits = limits{config.Spans, bytes / tracePart, bytes / reservedPart, bytes, most}
	return s
}

// Add adds a span that has ended. The store keeps the span itself. Add does nothing if span
// is nil. It never waits for readers: a span is dropped if too many are waiting already. One
// span in many puts those before it into their traces, so Add takes longer then.
func (s *Store) Add(span sdktrace.ReadOnlySpan) {
	if span == nil {
		return
	}
	sc, ofSDK := span.SpanContext(), isOfSDK(span)
	if ofSDK && !s.intake.takes(sc.TraceID()) {
		return
	}
	var e entry
	e.read(span, &sc, ofSDK)
	first, enough := s.pending.add(&e)
	if enough && s.mu.TryLock() {
		s.sort()
		s.mu.Unlock()
	}
	if first {
		s.watchers.tell()
	}
}

// lock locks the store for a reader, who sees all spans that were added before.
func (s *Store) lock() {
	s.mu.Lock()
	s.sort()
}

// sort puts the spans that are pending into their traces.
func (s *Store) sort() {
	entries, dropped := s.pending.take(s.taken)
	if dropped > 0 {
		s.intake.changes++
	}
	ofSDK := 0
	for i := range entries {
		if entries[i].ofSDK {
			ofSDK++
		}
		s.put(&entries[i])
	}
	s.totals.Seen += uint64(len(entries) + dropped) //nolint:gosec // They are not negative.
	s.totals.Dropped += uint64(dropped)             //nolint:gosec // The same.
	s.intake.count(ofSDK, s.tick)
	clear(entries)
	s.taken = entries[:0]
}

// tick is called now and then while not all traces are taken.
func (s *Store) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intake.armed = false
	s.sort()
}

// put puts a span into its trace.
func (s *Store) put(e *entry) {
	if !e.trace.IsValid() || !e.id.IsValid() {
		s.totals.Invalid++
		return
	}
	t := s.traceOf(e.trace)
	if t.has(e.id) {
		s.totals.Duplicates++
		return
	}
	if e.ofSDK {
		e.weight /= s.intake.share
	}
	s.totals.Naive += e.weight
	if b := e.broadcast; b != nil {
		s.totals.Broadcasts++
		s.totals.Recipients += uint64(b.Size) //nolint:gosec // It is not negative.
		s.totals.Sampled += uint64(b.Sampled) //nolint:gosec // It is not negative.
		s.broadcasts.add(*b)
	}
	if t.changes != s.intake.changes {
		t.changes, t.incomplete = s.intake.changes, true
	}
	t.observe(e)
	renamed := false
	if s.hasRoom(t, e) {
		renamed = s.keep(t, e)
	} else {
		t.leftOut++
		s.totals.LeftOut++
	}
	s.judge(t, e, renamed)
	s.classes[t.class].toEnd(t)
	s.forget(t)
}

// traceOf returns the trace with that ID, which begins if there is none.
func (s *Store) traceOf(id trace.TraceID) *kept {
	if s.last != nil && s.last.id == id {
		return s.last
	}
	t := s.traces[id]
	if t == nil {
		if n := len(s.free); n > 0 {
			t, s.free = s.free[n-1], s.free[:n-1]
		} else {
			t = &kept{}
		}
		t.id, t.leftOut = id, s.gone.take(id)
		t.forgotten = t.leftOut > 0
		t.changes, t.incomplete = s.intake.changes, s.intake.mayBeCut(id)
		s.traces[id] = t
		s.arrived.add(t)
		s.classes[recent].add(t)
		s.charge(t, traceBytes+t.overhead())
	}
	s.last = t
	return t
}

// hasRoom reports whether a span may be kept. The first root always may, because the root
// comes last, as a rule, and says most.
func (s *Store) hasRoom(t *kept, e *entry) bool {
	switch {
	case !t.uses(e.resource) && len(t.resources) >= mostResources:
		return false
	case e.rank == root && t.headRank < root:
		return e.size <= s.limits.trace
	default:
		return len(t.items) < s.limits.spans && t.bytes+t.shared+e.size <= s.limits.trace
	}
}

// keep keeps a span in its trace, and reports whether that is named after it now.
func (s *Store) keep(t *kept, e *entry) bool {
	before := t.overhead()
	renamed := t.add(e)
	s.charge(t, e.size+t.overhead()-before)
	if !t.uses(e.resource) {
		shared, more := s.resources.use(e.resource)
		t.resources = append(t.resources, shared)
		t.shared += shared.bytes
		s.used += more
	}
	s.totals.Kept++
	return renamed
}

func (s *Store) charge(t *kept, bytes int) {
	t.bytes += bytes
	s.used += bytes
	s.usedBy[t.class] += bytes
}

// judge finds the class of t, which has got a span. A class never becomes weaker.
func (s *Store) judge(t *kept, e *entry, renamed bool) {
	c := t.class
	// A trace without a root of this process is not compared with others.
	if t.headRank > inner && !t.forgotten && s.names.slow(t, renamed) {
		c = max(c, slow)
	}
	switch {
	case e.failed:
		c = failed
	case e.late != "":
		c = max(c, late)
	}
	if c == t.class {
		return
	}
	s.classes[t.class].remove(t)
	s.usedBy[t.class] -= t.bytes
	t.class = c
	s.usedBy[c] += t.bytes
	s.classes[c].add(t)
}

// forget forgets traces until there is room again, but never the one that has just got a
// span.
func (s *Store) forget(last *kept) {
	for s.used > s.limits.bytes {
		t := s.classes[s.weakest(last)].first
		if t == nil || t == last {
			return
		}
		s.remove(t)
	}
}

// weakest returns the class that has to forget a trace: recent, as long as the others keep
// within what is reserved for them. Otherwise it is the one of these that takes most.
func (s *Store) weakest(last *kept) class {
	largest, others := slow, 0
	for c := slow; c < classes; c++ {
		others += s.usedBy[c]
		if s.usedBy[c] > s.usedBy[largest] {
			largest = c
		}
	}
	if first := s.classes[recent].first; others <= s.limits.reserved && first != nil && first != last {
		return recent
	}
	if first := s.classes[largest].first; first == nil || first == last {
		return recent
	}
	return largest
}

// remove forgets t.
func (s *Store) remove(t *kept) {
	if s.last == t {
		s.last = nil
	}
	delete(s.traces, t.id)
	s.arrived.remove(t)
	s.classes[t.class].remove(t)
	s.used -= t.bytes
	s.usedBy[t.class] -= t.bytes
	for _, r := range t.resources {
		s.used -= s.resources.drop(r)
	}
	n := len(t.items)
	s.gone.add(t.id, t.leftOut+n)
	s.totals.Kept -= n
	s.totals.Forgotten += uint64(n)
	s.totals.ForgottenTraces++
	if t.reset() && len(s.free) < mostFree {
		s.free = append(s.free, t)
	}
}

// Totals says how many spans a [Store] has got, and what became of them:
//
//	Seen = Kept + Forgotten + LeftOut + Duplicates + Invalid + Dropped
type Totals struct {
	Seen       uint64 // all spans that were added
	Kept       int    // spans that are kept now
	Forgotten  uint64 // spans that were kept, and went with their traces to make room
	LeftOut    uint64 // spans of traces that were too large already
	Duplicates uint64 // spans that their traces had already
	Invalid    uint64 // spans without a valid ID, or of a trace without one
	Dropped    uint64 // spans that were not taken, because too many came at once

	Traces          int    // traces that are kept now
	ForgottenTraces uint64 // traces that were forgotten
	Bytes           int    // about how much memory is taken now
	MaxBytes        int    // about how much may be taken

	Broadcasts uint64 // broadcasts among the spans that were not dropped
	Recipients uint64 // the recipients of these
	Sampled    uint64 // those of the recipients that were sampled
	// Naive is about how many spans Seen would be if every recipient of every broadcast kept
	// the trace.
	Naive float64
}

// Totals returns the totals so far.
func (s *Store) Totals() Totals {
	s.lock()
	defer s.mu.Unlock()
	t := s.totals
	dropped := s.intake.droppedSpans()
	t.Seen += dropped
	t.Dropped += dropped
	t.Traces = len(s.traces)
	t.Bytes = s.used + fixedBytes + s.gone.bytes()
	t.MaxBytes = s.limits.most
	return t
}
