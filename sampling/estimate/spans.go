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
// themselves, from 2⁻⁵⁶, the smallest that they can state, to 1. They state it in the
// tracestate of their spans, as a threshold in OpenTelemetry's member; the samplers of
// most SDKs do not. Where neither they nor AssumeHead say it, estimates are of the traces
// that were kept. A number that is no such probability changes nothing.
//
// It holds for estimates of what is selected afterwards.
func (s *Spans) AssumeHead(probability float64) {
	if probability >= 0x1p-56 && probability <= 1 {
		s.head = probability
		s.tree = nil
	}
}

// Deliveries are the messages that the selected spans are about.
type Deliveries struct {
	// Handled holds those that were handled, whether well or not.
	Handled *Sample
	// Refused holds those that no mailbox took, and Dead those that were accepted and
	// never handled.
	Refused, Dead *Sample
	// Shed is how many messages none of these knows of, because a cap took effect on their
	// broadcast (waybill.fanout.shed). What is compared with an estimate must leave them out
	// too. They are those of broadcasts with the names of such as are right above selected
	// spans, and of broadcasts of which nobody knows whom they go to. Where a broadcast to
	// relays shed, they are the messages to the relays: nobody knows how many there would
	// have been behind them.
	Shed Estimate
}

// Named selects the spans that have one of these names, such as
// "session MessageCreate". Spans that are about no message are all handled. The value of
// each is how many seconds it lasted: that of a message that was not handled, how long it
// had waited.
//
// If all slow handlings of that name are counted (sampling.Late.CountSlow), it knows that
// none of them is missing: a quantile among them has an upper end.
func (s *Spans) Named(names ...string) Deliveries {
	tails := make(map[string]tail)
	d := s.Select(func(span Span) (float64, bool) {
		if !slices.Contains(names, span.Name()) {
			return 0, false
		}
		return seconds(span), true
	})
	for i := range s.records {
		r := &s.records[i]
		if name := r.span.Name(); r.fate == handled && slices.Contains(names, name) {
			tails[name] = tails[name].with(r, seconds(r.span))
		}
	}
	d.Handled.tail = math.Inf(-1)
	for _, t := range tails {
		d.Handled.tail = max(d.Handled.tail, t.start())
	}
	return d
}

// tail is from where on all handlings of a name are known.
type tail struct {
	slow  float64 // the shortest of those that count as slow
	other float64 // the longest of the others
	any   bool    // counts as slow
}

func (t tail) with(r *record, value float64) tail {
	switch {
	case !r.slow:
		t.other = max(t.other, value)
	case r.weight > 0 && (!t.any || value < t.slow):
		t.slow, t.any = value, true
	}
	return t
}

func (t tail) start() float64 {
	if !t.any {
		return math.Inf(1)
	}
	return max(t.slow, t.other)
}

// Select selects the spans for which value returns true, and takes that for their values:
// seconds, bytes, or 1 to count them.
// It calls value once for each span that was added.
func (s *Spans) Select(value func(span Span) (float64, bool)) Deliveries {
	t := s.resolve()
	sample := func() *Sample { return &Sample{chance: t.chance, tail: math.Inf(1)} }
	d := Deliveries{Handled: sample(), Refused: sample(), Dead: sample()}
	selected := make([]bool, len(s.records))
	for _, i := range t.order {
		r := &s.records[i]
		v, ok := value(r.span)
		if !ok {
			continue
		}
		selected[i] = true
		switch r.fate {
		case handled:
			d.Handled.add(t, i, v)
		case refused:
			d.Refused.add(t, i, v)
		case dead:
			d.Dead.add(t, i, v)
		case noDelivery:
		}
	}
	d.Shed = s.shedOf(t, selected)
	return d
}

// shedOf estimates how many messages broadcasts have shed that may have been to the same
// as the selected spans.
func (s *Spans) shedOf(t *tree, selected []bool) Estimate {
	known, own := make(map[string]bool), make(map[string]bool) // names of broadcasts
	for i := range s.records {
		if b := t.near[i]; b >= 0 {
			name := s.records[b].span.Name()
			known[name] = true
			own[name] = own[name] || selected[i]
		}
	}
	shed := Sample{tail: math.Inf(1)}
	for _, i := range t.order {
		r := &s.records[i]
		if name := r.span.Name(); r.cast != nil && r.cast.shed && (own[name] || !known[name]) {
			shed.add(t, i, float64(r.cast.size))
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
}

// Tally returns how many spans there are, and what is missing.
func (s *Spans) Tally() SpansTally {
	t := s.resolve()
	tally := SpansTally{Spans: len(s.records), Repeated: s.repeated, Invalid: s.invalid}
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
