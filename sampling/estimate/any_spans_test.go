// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// Whoever writes an attribute and whoever reads it know it by one name.
func TestAttributesHaveTheNamesThatAreRead(t *testing.T) {
	for key, want := range map[attribute.Key]string{
		keys.FanoutWeight: "waybill.fanout.weight", keys.FanoutProbability: "waybill.fanout.probability",
		keys.FanoutSize: "waybill.fanout.size", keys.FanoutShed: "waybill.fanout.shed",
		keys.FanoutSampled: "waybill.fanout.sampled", keys.FanoutBudget: "waybill.fanout.budget",
		keys.LateReason: "waybill.late.reason", keys.LateProbability: "waybill.late.probability",
		keys.LinkReason: "waybill.link.reason",
	} {
		assert.EqualValues(t, want, key)
	}
}

// one adds a single root span with these attributes.
func one(attrs ...attribute.KeyValue) *estimate.Spans {
	f := &forge{random: fixed(34)}
	f.span("work", trace.SpanContext{}.WithTraceID(f.traceID()), 1, attrs...)
	return f.collect()
}

func TestWhatSpansSayTheyStandFor(t *testing.T) {
	weight, reason := keys.FanoutWeight, keys.LateReason
	for name, test := range map[string]struct {
		attrs []attribute.KeyValue
		want  float64
		left  estimate.Tally // out
	}{
		"nothing":         {nil, 1, estimate.Tally{}},
		"double":          {[]attribute.KeyValue{weight.Float64(1000.5)}, 1000.5, estimate.Tally{}},
		"int":             {[]attribute.KeyValue{weight.Int(12)}, 12, estimate.Tally{}},
		"rounded":         {[]attribute.KeyValue{weight.Float64(1 - 1e-9)}, 1, estimate.Tally{}},
		"uncounted":       {[]attribute.KeyValue{reason.String("slow"), weight.Float64(0)}, 0, estimate.Tally{Uncounted: 1}},
		"stratum":         {[]attribute.KeyValue{reason.String("slow"), weight.Float64(1)}, 1, estimate.Tally{}},
		"failed":          {[]attribute.KeyValue{reason.String("error"), weight.Float64(7)}, 7, estimate.Tally{}},
		"later counts":    {[]attribute.KeyValue{weight.Float64(-1), weight.Float64(3)}, 3, estimate.Tally{}},
		"late reply":      {[]attribute.KeyValue{reason.String("late_reply")}, 0, estimate.Tally{}},
		"string":          {[]attribute.KeyValue{weight.String("3")}, 0, estimate.Tally{Invalid: 1}},
		"negative":        {[]attribute.KeyValue{weight.Float64(-3)}, 0, estimate.Tally{Invalid: 1}},
		"minus one":       {[]attribute.KeyValue{weight.Float64(-1)}, 0, estimate.Tally{Invalid: 1}},
		"below one":       {[]attribute.KeyValue{weight.Float64(0.25)}, 0, estimate.Tally{Invalid: 1}},
		"absurd":          {[]attribute.KeyValue{weight.Float64(1e16)}, 0, estimate.Tally{Invalid: 1}},
		"infinite":        {[]attribute.KeyValue{weight.Float64(math.Inf(1))}, 0, estimate.Tally{Invalid: 1}},
		"no number":       {[]attribute.KeyValue{weight.Float64(math.NaN())}, 0, estimate.Tally{Invalid: 1}},
		"refused":         {[]attribute.KeyValue{reason.String("refused_full"), weight.Float64(9)}, 0, estimate.Tally{}},
		"dead":            {[]attribute.KeyValue{reason.String("dead_letter_expired"), weight.Float64(9)}, 0, estimate.Tally{}},
		"broadcast, shed": {[]attribute.KeyValue{keys.FanoutShed.Bool(true), keys.FanoutSize.Int(9)}, 1, estimate.Tally{}},
	} {
		d := one(test.attrs...).Named("work")
		assert.Equal(t, test.want, d.Handled.Count().Value, name)
		if test.want > 0 {
			test.left.Counted = 1
		}
		assert.Equal(t, test.left, d.Handled.Tally(), name)
		assert.Equal(t, name == "refused", d.Refused.Count().Value == 9, name)
		assert.Equal(t, name == "dead", d.Dead.Count().Value == 9, name)
	}
}

// What is below a broadcast that shed is left out, whatever its span says of that.
func TestShedIsSaidInMoreThanOneWay(t *testing.T) {
	for value, want := range map[attribute.Value]bool{
		attribute.BoolValue(true): true, attribute.BoolValue(false): false,
		attribute.IntValue(12): true, attribute.IntValue(0): false, attribute.StringValue("true"): false,
	} {
		f := &forge{random: fixed(35)}
		cast := f.span("broadcast", f.root(t, ""), 0,
			keys.FanoutSize.Int(7), keys.FanoutSampled.Int(0),
			attribute.KeyValue{Key: keys.FanoutShed, Value: value})
		f.span("session", cast, 1, keys.FanoutWeight.Float64(1), keys.LateReason.String("slow"))
		s := f.collect()
		assert.Equal(t, want, s.Named("session").Shed.Value == 7, "%v", value)
		assert.Equal(t, want, s.Named("session").Handled.Tally() == estimate.Tally{Uncounted: 1}, "%v", value)
		assert.Equal(t, !want, s.Named("session").Handled.Count().Value == 1, "%v", value)
	}
}

// What is no span is counted, and what looks odd is taken for what it can be.
func TestSpansThatAreNone(t *testing.T) {
	var s estimate.Spans
	s.Add(nil)
	s.Add(&madeSpan{name: "work"})
	f := &forge{random: fixed(36)}
	root := f.root(t, "")
	f.span("work", root.WithSpanID(f.spanID()), -5) // Its clock was set, and its parent is missing.
	s.Add(f.spans[0])
	s.Add(f.spans[0])
	s.Add(f.spans[1])
	assert.Equal(t, estimate.SpansTally{Spans: 2, LeftOut: 3, Orphans: 1, Headless: 2}, s.Tally())
	repeated, invalid := s.LeftOut()
	assert.Equal(t, 1, repeated)
	assert.Equal(t, 2, invalid)
	work := s.Named("work").Handled
	assert.Equal(t, 1.0, work.Count().Value)
	assert.Zero(t, work.Total().Value, "no span is shorter than nothing")
	for _, p := range []float64{0, -1, 1.5, math.NaN(), math.Inf(1)} {
		s.AssumeHead(p)
		assert.Equal(t, 1.0, s.Named("work").Handled.Count().Value)
	}
	s.AssumeHead(0.1)
	assert.InDelta(t, 10, s.Named("work").Handled.Count().Value, 1e-9)
	assert.Zero(t, s.Tally().Headless)
}

// Spans that are each other's parents end nobody's patience.
func TestCycles(t *testing.T) {
	f := &forge{random: fixed(37)}
	root := f.root(t, "")
	ids := []trace.SpanID{f.spanID(), f.spanID(), f.spanID()}
	for i, id := range ids {
		f.spans = append(f.spans, &madeSpan{
			name: "work", self: root.WithSpanID(id), parent: root.WithSpanID(ids[(i+1)%3]), start: epoch, end: epoch,
		})
	}
	f.span("work", root.WithSpanID(ids[0]), 1)
	assert.Equal(t, 4.0, f.collect().Named("work").Handled.Count().Value)
}

// A chain of any length is followed.
func TestLongWays(t *testing.T) {
	const length = 100_000
	f := &forge{random: fixed(38)}
	plan := planOf(sampling.GroupConfig{}, 100, f.random)
	cast := f.broadcast("broadcast", f.root(t, "ot=th:8"), fanout.Fanout{}, plan)
	at := f.recipient("session", cast, plan.Recipient(0), 1)
	for range length {
		at = f.span("hop", at, 1)
	}
	assert.InDelta(t, 2*10*length, f.collect().Named("hop").Handled.Count().Value, 1e-3)
}

// There are estimates of whatever spans say, however many hops and sorts there seem to be.
func TestHostileSpans(t *testing.T) {
	const many = 10_000
	f := &forge{random: fixed(39)}
	relays := []attribute.KeyValue{
		keys.FanoutSize.Int(math.MaxInt32), keys.FanoutSampled.Int(math.MaxInt32), keys.FanoutBudget.Int(1),
		keys.FanoutWeight.Float64(2),
	}
	at := f.root(t, "")
	for range many { // Relays of relays.
		at = f.span("relay", f.span("broadcast", at, 1, relays...), 1, keys.FanoutWeight.Float64(4))
	}
	for range many {
		at = f.span("session", f.span("broadcast", at, 1, append(relays[:2:2], keys.FanoutWeight.Float64(4))...), 1,
			keys.FanoutWeight.Float64(8))
	}
	cast := f.span("broadcast", f.root(t, ""), 1, relays[:2]...)
	for i := range many { // Of as many sorts.
		f.span("session", cast, 1, keys.FanoutWeight.Float64(float64(2+i)))
	}
	s := f.collect()
	for _, name := range []string{"relay", "session", "broadcast"} {
		d := s.Named(name)
		sane(t, d.Handled.Total(), 0)
		sane(t, d.Handled.Mean(), 0)
		sane(t, d.Handled.Quantile(0.5), 0)
	}
}

// FuzzSpans adds spans of all sorts, in two orders, and holds that all estimates make sense
// and do not depend on the order.
func FuzzSpans(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 2, 1, 1, 1, 3, 3, 2, 1, 4, 5, 2, 1}, 0.5)
	f.Add([]byte{1, 0, 0, 1, 2, 1, 1, 41, 3, 3, 2, 1, 4, 5, 2, 22, 9, 9, 9, 9, 200, 201}, 0.99)
	f.Fuzz(func(t *testing.T, bytes []byte, q float64) {
		in := input(bytes)
		var spans []estimate.Span
		for len(in) > 0 && len(spans) < 200 {
			spans = append(spans, in.span())
		}
		var a, b estimate.Spans
		for i := range spans {
			a.Add(spans[i])
			b.Add(spans[len(spans)-1-i])
		}
		head := in.float()
		a.AssumeHead(head)
		b.AssumeHead(head)
		tally := a.Tally()
		repeated, _ := a.LeftOut()
		if tally.Spans+tally.LeftOut != len(spans) {
			t.Fatalf("%+v of %d", tally, len(spans))
		}
		for _, name := range []string{"a", "b"} {
			d, other := a.Named(name), b.Named(name)
			for i, s := range []*estimate.Sample{d.Handled, d.Refused, d.Dead} {
				sane(t, s.Count(), 0)
				sane(t, s.Above(q), 0)
				sane(t, s.Total(), 0)
				sane(t, s.Mean(), 1)
				sane(t, s.Quantile(q), 1)
				if repeated == 0 { // Else it matters which comes first.
					same(t, s.Count(), []*estimate.Sample{other.Handled, other.Refused, other.Dead}[i].Count())
				}
			}
		}
	})
}

func (in *input) span() estimate.Span {
	id := func() (sc trace.SpanContext) {
		b := in.byte()
		return sc.WithTraceID(trace.TraceID{15: b % 3}).WithSpanID(trace.SpanID{7: b / 3 % 16})
	}
	s := &madeSpan{name: string(rune('a' + in.byte()%2)), self: id(), parent: id(), start: epoch}
	what := in.byte()
	s.end = epoch.Add(time.Duration(in.byte()) * time.Millisecond)
	if what&1 != 0 {
		s.attrs = append(s.attrs, keys.FanoutSize.Int(int(in.byte()%20)))
	}
	if what&2 != 0 {
		s.attrs = append(s.attrs, keys.FanoutSampled.Int(int(in.byte()%20)))
	}
	if what&4 != 0 {
		s.attrs = append(s.attrs, keys.FanoutWeight.Float64(in.float()))
	}
	if what&8 != 0 {
		s.attrs = append(s.attrs, keys.FanoutProbability.Float64(in.float()/25))
	}
	if what&16 != 0 {
		s.attrs = append(s.attrs, keys.FanoutBudget.Int(int(in.byte()%20)))
	}
	if what&32 != 0 {
		reasons := []string{"slow", "refused_full", "dead_letter_expired", "late_reply"}
		s.attrs = append(s.attrs, keys.LateReason.String(reasons[in.byte()%4]),
			keys.LateProbability.Float64(in.float()))
	}
	if what&64 != 0 {
		reason := []string{"fanout", "chain", "batch"}[in.byte()%3]
		s.links = append(s.links, trace.Link{
			SpanContext: id(), Attributes: []attribute.KeyValue{keys.LinkReason.String(reason)},
		})
	}
	if what&128 != 0 {
		states := []string{"ot=th:8", "ot=th:c;rv:e0000000000000", "waybill=w:4;p:0.5;n:8;d:2;b:2;e:1.5", "waybill=w:2;p:0.5;n:8;d:1"}
		if state, err := trace.ParseTraceState(states[in.byte()%4]); err == nil {
			s.self = s.self.WithTraceState(state)
		}
	}
	return s
}
