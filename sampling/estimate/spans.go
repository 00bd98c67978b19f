// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"slices"
)

// Spans collects the spans of whole traces. From them it estimates what all messages would
// have shown, including those that were not traced. The zero value is empty and ready for
// use. Spans must not be copied once it is in use, and not be used by several goroutines at
// once.
//
// Add every span that there is, of all services and in any order, not only the spans that an
// estimate is about. The broadcasts above a span tell what it stands for, and how far an
// estimate may be off.
//
// Spans keeps every span that it is given, and some 200 bytes for each.
type Spans struct {
	records []record
	index   map[spanKey]int32
	leftOut leftOut
	head    float64 // of traces that state none; 0 if nobody has said it
	tree    *tree   // of records, nil if it is out of date
}

// Add adds a span that has ended. If it was added before or has no valid span context, it is
// left out and counted ([Spans.Tally]).
func (s *Spans) Add(span Span) {
	if span == nil || !span.SpanContext().IsValid() || len(s.records) == math.MaxInt32 {
		s.leftOut.invalid++
		return
	}
	id := keyOf(span.SpanContext())
	if _, ok := s.index[id]; ok {
		s.leftOut.repeated++
		return
	}
	if s.index == nil {
		s.index = make(map[spanKey]int32)
	}
	s.index[id] = int32(len(s.records)) //nolint:gosec // It is bounded above.
	s.records = append(s.records, read(span))
	s.tree = nil
}

// AssumeHead sets the probability with which a sampler kept the traces that do not state it
// themselves. It is from 2⁻⁵⁶, the smallest that they can state, to 1. Any other number
// changes nothing. Traces state the probability in the tracestate of their spans, as a
// threshold in OpenTelemetry's member; the samplers of most SDKs do not set it. If neither
// they nor AssumeHead say it, estimates are of the traces that were kept.
//
// It applies to what is selected afterwards.
func (s *Spans) AssumeHead(probability float64) {
	if probability >= 0x1p-56 && probability <= 1 {
		s.head = probability
		s.tree = nil
	}
}

// Deliveries are the messages of selected spans, by what became of them.
type Deliveries struct {
	// Handled holds the messages that were handled, whether that failed or not.
	Handled *Sample
	// Refused holds the messages that no mailbox accepted. Dead holds the dead letters,
	// which were accepted and never handled.
	Refused, Dead *Sample
	// Shed estimates how many messages the samples lack, because a cap took effect on
	// their broadcast (waybill.fanout.shed). If you compare an estimate with a count, leave
	// them out of the count too. They are the messages of two kinds of broadcasts: those
	// that have the name of a broadcast right above a selected span, and those whose
	// recipients nobody knows, because no span is below a broadcast of that name. Of a
	// broadcast to relays they are the messages to the relays, because nobody knows how
	// many recipients are behind them.
	Shed Estimate
}

// Named selects the spans that have one of these names, such as "session MessageCreate".
// Spans that are about no message count as handled. The value of a span is how many seconds
// it lasted. For a message that was not handled, that is how long it waited.
//
// If all slow handlings of a name are counted (sampling.Late.CountSlow), Named knows that
// none of them is missing. Then a quantile among them has an upper end.
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

// tail finds from which value on all handlings of a name are known.
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

// Select selects the spans for which value returns true. The number that it returns is the
// value of the span: seconds, bytes, or 1 to count. Select calls value once for each span
// that was kept.
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

// shedOf estimates how many messages were shed that may have gone to the same recipients as
// the selected spans.
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
		if name := r.span.Name(); r.broadcast != nil && r.broadcast.shed && (own[name] || !known[name]) {
			shed.add(t, i, float64(r.broadcast.size))
		}
	}
	return shed.Total()
}

// leftOut counts the spans that were added and not kept.
type leftOut struct{ repeated, invalid int }

// SpansTally says what became of the spans that were added.
type SpansTally struct {
	// Spans counts the spans that were kept.
	Spans int
	// LeftOut counts the spans that were left out, because they had been added before or
	// had no valid span context.
	LeftOut int
	// Orphans counts the spans that were kept without the span above them, which was not
	// added. Estimates stay right as long as spans say what they stand for, but their
	// standard errors may be larger.
	Orphans int
	// Headless counts the spans that were kept, but nothing says with what probability
	// their trace was sampled. They stand for the traces that were kept. See
	// [Spans.AssumeHead].
	Headless int
}

// Tally returns how many spans there are, and what is missing.
func (s *Spans) Tally() SpansTally {
	t := s.resolve()
	tally := SpansTally{Spans: len(s.records), LeftOut: s.leftOut.repeated + s.leftOut.invalid}
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

// seconds returns how long a span lasted. It is never negative, even if the clock was set.
func seconds(span Span) float64 {
	start, end := span.StartTime(), span.EndTime()
	if start.IsZero() || end.IsZero() {
		return math.NaN()
	}
	return max(end.Sub(start).Seconds(), 0)
}
