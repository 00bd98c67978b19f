// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// madeSpan is a span that a forge made.
type madeSpan struct {
	name         string
	self, parent trace.SpanContext
	attrs        []attribute.KeyValue
	links        []trace.Link
	start, end   time.Time
}

func (s *madeSpan) Name() string                     { return s.name }
func (s *madeSpan) SpanContext() trace.SpanContext   { return s.self }
func (s *madeSpan) Parent() trace.SpanContext        { return s.parent }
func (s *madeSpan) Attributes() []attribute.KeyValue { return s.attrs }
func (s *madeSpan) Links() []trace.Link              { return s.links }
func (s *madeSpan) StartTime() time.Time             { return s.start }
func (s *madeSpan) EndTime() time.Time               { return s.end }

// forge makes spans as package mailbox does, without running anything: for tests that
// need very many.
type forge struct {
	random *rand.Rand
	spans  []estimate.Span

	last struct { // that was put
		above, below trace.SpanContext
		fanout       fanout.Fanout
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (f *forge) spanID() (id trace.SpanID) {
	binary.NativeEndian.PutUint64(id[:], f.random.Uint64()|1)
	return id
}

func (f *forge) traceID() (id trace.TraceID) {
	binary.NativeEndian.PutUint64(id[:8], f.random.Uint64()|1)
	binary.NativeEndian.PutUint64(id[8:], f.random.Uint64())
	return id
}

// root returns the context of a span in a new trace with that tracestate.
func (f *forge) root(t testing.TB, state string) trace.SpanContext {
	t.Helper()
	ts, err := trace.ParseTraceState(state)
	require.NoError(t, err)
	return f.span("root", trace.SpanContext{}.WithTraceID(f.traceID()).WithTraceState(ts), 0)
}

// span makes a span of so many seconds below parent and returns its context.
func (f *forge) span(name string, parent trace.SpanContext, seconds float64, attrs ...attribute.KeyValue) trace.SpanContext {
	s := &madeSpan{
		name: name, parent: parent, attrs: attrs, start: epoch, end: epoch.Add(time.Duration(seconds * 1e9)),
		self: parent.WithSpanID(f.spanID()).WithTraceFlags(trace.FlagsSampled),
	}
	f.spans = append(f.spans, s)
	return s.self
}

// linked makes the root span of a trace that a fan-out has begun.
func (f *forge) linked(name string, broadcast trace.SpanContext, fanout fanout.Fanout, seconds float64) trace.SpanContext {
	parent := trace.SpanContext{}.WithTraceID(f.traceID()).WithTraceState(fanout.Root(broadcast))
	self := f.span(name, parent, seconds, fanout.Attributes(nil)...)
	made, _ := f.spans[len(f.spans)-1].(*madeSpan)
	made.links = []trace.Link{{
		SpanContext: broadcast, Attributes: []attribute.KeyValue{keys.LinkReason.String("fanout")},
	}}
	return self
}

// goneOn makes the root span of a trace in which a chain goes on that was cut after span.
func (f *forge) goneOn(name string, span trace.SpanContext, fanout fanout.Fanout, seconds float64) {
	parent := trace.SpanContext{}.WithTraceID(f.traceID()).WithTraceState(fanout.AddTo(trace.TraceState{}))
	f.span(name, parent, seconds, fanout.Attributes(nil)...)
	made, _ := f.spans[len(f.spans)-1].(*madeSpan)
	made.links = []trace.Link{{
		SpanContext: span, Attributes: []attribute.KeyValue{keys.LinkReason.String("chain")},
	}}
}

// broadcast makes the span of a broadcast below parent, which stands for above, with what
// the plan says of it.
func (f *forge) broadcast(
	name string, parent trace.SpanContext, above fanout.Fanout, plan planning.Plan,
) trace.SpanContext {
	attrs := []attribute.KeyValue{
		keys.FanoutSize.Int(plan.Size), keys.FanoutSampled.Int(len(plan.Sampled)),
		keys.FanoutMethod.String("uniform"),
	}
	return f.span(name, parent, 0, f.casting(attrs, above, plan.Shed)...)
}

func (*forge) casting(attrs []attribute.KeyValue, above fanout.Fanout, shed bool) []attribute.KeyValue {
	if above.Depth > 0 {
		attrs = append(attrs, keys.FanoutWeight.Float64(above.Weight),
			keys.FanoutProbability.Float64(above.Probability), keys.FanoutDepth.Int(above.Depth))
	}
	if shed {
		attrs = append(attrs, keys.FanoutShed.Bool(true))
	}
	return attrs
}

// recipient makes the span of a recipient that a broadcast has chosen.
func (f *forge) recipient(
	name string, broadcast trace.SpanContext, fanout fanout.Fanout, seconds float64, more ...attribute.KeyValue,
) trace.SpanContext {
	if l := &f.last; !l.above.Equal(broadcast) || l.fanout != fanout {
		l.above, l.fanout = broadcast, fanout
		l.below = broadcast.WithTraceState(fanout.AddTo(broadcast.TraceState()))
	}
	return f.span(name, f.last.below, seconds, append(fanout.Attributes(nil), more...)...)
}

// cast makes a broadcast of a trace of its own to recipients that measure these values.
func (f *forge) cast(t testing.TB, c sampling.GroupConfig, values []float64) {
	f.castBelow(f.root(t, ""), fanout.Fanout{}, planning.Planner{Config: c, Random: f.random}.Plan(len(values)), values)
}

// castBelow makes a broadcast below parent, which stands for above.
func (f *forge) castBelow(parent trace.SpanContext, above fanout.Fanout, plan planning.Plan, values []float64) {
	cast, fanout := f.broadcast("broadcast", parent, above, plan), plan.Recipient(0)
	for _, i := range plan.Sampled {
		f.recipient("session", cast, fanout, values[i])
	}
}

// castRelays makes a broadcast to relays, of which it takes the sizes to be what is said,
// below parent, which stands for above. For each relay that is sampled it calls next.
func (f *forge) castRelays(
	parent trace.SpanContext, planner planning.Planner, said []int, next func(i int, relay trace.SpanContext, planner planning.Planner),
) {
	plan := planner.Relays(said)
	cast := f.broadcast("relay broadcast", parent, planner.Above, planning.Plan{Size: plan.Size, Sampled: plan.Sampled, Shed: plan.Shed})
	made, _ := f.spans[len(f.spans)-1].(*madeSpan)
	made.attrs = append(made.attrs, keys.FanoutBudget.Int(plan.Spans))
	for n, i := range plan.Sampled {
		planner.Above = plan.Recipient(n)
		next(i, f.recipient("relay", cast, planner.Above, 0.001), planner)
	}
}

// collect adds all spans, in any order.
func (f *forge) collect() *estimate.Spans {
	s := &estimate.Spans{}
	f.random.Shuffle(len(f.spans), func(i, j int) { f.spans[i], f.spans[j] = f.spans[j], f.spans[i] })
	for _, span := range f.spans {
		s.Add(span)
	}
	return s
}
