// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// Spans collects the spans of whole traces and estimates from them what all messages
// would have shown, those that were not traced included. The zero value is empty and
// ready for use. Spans must not be copied once it is in use, and not be used by
// several goroutines at once.
//
// Add every span that there is, of all services and in any order, not only those that
// an estimate is about: what a span stands for, and how far an estimate may be off, is
// told by the broadcasts above it.
//
// It keeps every span that it is given, and some 200 bytes for each.
type Spans struct {
	records  []record
	index    map[spanKey]int32
	repeated int
	invalid  int
	head     float64 // of traces that state none; 0 if nobody has said it
	tree     *tree   // of records, nil if it is out of date
}

// Add takes in a span that has ended. One that was added before, and one without a
// valid span context, is counted by [Spans.Tally] and left out.
func (s *Spans) Add(span Span) {
	if span == nil || !span.SpanContext().IsValid() || len(s.records) == math.MaxInt32 {
		s.invalid++
		return
	}
	id := keyOf(span.SpanContext())
	if _, ok := s.index[id]; ok {
		s.repeated++
		return
	}
	if s.index == nil {
		s.index = make(map[spanKey]int32)
	}
	s.index[id] = int32(len(s.records)) //nolint:gosec // It is bounded above.
	s.records = append(s.records, read(span))
	s.tree = nil
}

// AssumeHead says with what probability a sampler kept traces that do not state it
// themselves, in (0, 1]. They state it in the tracestate of their spans, as a threshold
// in OpenTelemetry's member; the samplers of most SDKs do not. Where neither they nor
// AssumeHead say it, estimates are of the traces that were kept. A number that is no
// probability changes nothing.
//
// It holds for estimates of what is selected afterwards.
func (s *Spans) AssumeHead(probability float64) {
	if probability > 0 && probability <= 1 {
		s.head = probability
		s.tree = nil
	}
}

// Deliveries are the messages that the selected spans are about.
type Deliveries struct {
	// Handled holds those that were handled, whether well or not. The value of each is
	// how many seconds its span lasted.
	Handled *Sample
	// Refused holds those that no mailbox took, and Dead those that were accepted and
	// never handled. The value of each is how many seconds it waited until then.
	Refused, Dead *Sample
}

// Named selects the spans that have one of these names, such as
// "session MessageCreate". Spans that are about no message are all handled.
func (s *Spans) Named(names ...string) Deliveries {
	return s.Select(func(span Span) bool { return slices.Contains(names, span.Name()) })
}

// Select selects the spans for which which returns true. It calls that once for each
// span that was added.
func (s *Spans) Select(which func(span Span) bool) Deliveries {
	d := Deliveries{new(Sample), new(Sample), new(Sample)}
	t := s.resolve()
	for i := range s.records {
		r := &s.records[i]
		if !which(r.span) {
			continue
		}
		switch r.fate {
		case handled:
			t.addTo(d.Handled, i)
		case refused:
			t.addTo(d.Refused, i)
		case dead:
			t.addTo(d.Dead, i)
		case noDelivery:
		}
	}
	return d
}

// Shed estimates how many messages nothing stands for, because a cap took effect on
// their broadcast (sampling.ShedKey): of the broadcasts whose spans have one of these
// names, such as "broadcast sessions", or of all if there is none. They are in no
// other estimate. What is compared with one must leave them out too.
//
// Where a broadcast to relays shed, those are the messages to the relays: nobody
// knows how many there would have been behind them.
func (s *Spans) Shed(names ...string) Estimate {
	var shed Sample
	t := s.resolve()
	for i := range s.records {
		r := &s.records[i]
		if r.cast != nil && r.cast.shed && (len(names) == 0 || slices.Contains(names, r.span.Name())) {
			t.add(&shed, i, float64(r.cast.size))
		}
	}
	return shed.Total()
}

// SpansTally says what became of the spans that were added.
type SpansTally struct {
	Spans    int // kept
	Repeated int // left out because they had been added before
	Invalid  int // left out because they had no valid span context
	// Orphans are kept, but the span above them was not added. Estimates stay right as
	// long as spans say what they stand for; their standard errors may be larger.
	Orphans int
	// Headless are kept, but nothing says with what probability their trace was
	// sampled: they stand for the traces that were kept. See [Spans.AssumeHead].
	Headless int
	// Shed is how many messages are in no estimate: see [Spans.Shed].
	Shed float64
}

// Tally returns how many spans there are, and what is missing.
func (s *Spans) Tally() SpansTally {
	t := s.resolve()
	tally := SpansTally{Spans: len(s.records), Repeated: s.repeated, Invalid: s.invalid, Shed: s.Shed().Value}
	for i := range s.records {
		if t.up[i] < 0 && s.records[i].above.valid() {
			tally.Orphans++
		}
		if t.head[i] == 0 && s.head == 0 {
			tally.Headless++
		}
	}
	return tally
}

// seconds is how long a span lasted. Clocks that were set make none shorter than
// nothing.
func seconds(span Span) float64 {
	start, end := span.StartTime(), span.EndTime()
	if start.IsZero() || end.IsZero() {
		return math.NaN()
	}
	return max(end.Sub(start).Seconds(), 0)
}
