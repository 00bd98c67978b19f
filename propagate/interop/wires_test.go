// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagate"
)

// wires opens a way through each library, from and to a site.
var wires = map[string]func(t *testing.T, s *site) wire{
	"http":      openHTTP,
	"grpc":      openGRPC,
	"nats":      openNATS,
	"kafka":     openKafka,
	"watermill": openWatermill,
}

const (
	state = "vendor=t61rcWkgMzE,ot=th:8,other@tenant=abc/def"
	bag   = "user=alice"
)

// kind is a propagator to test, with what it counts.
type kind struct {
	name string
	make func() (propagation.TextMapPropagator, func() propagate.Counts)
}

var (
	sampledFirst = kind{"sampled first", func() (propagation.TextMapPropagator, func() propagate.Counts) {
		c := &propagate.Counters{}
		return propagate.SampledFirst{Counters: c}, c.Counts
	}}
	standard = kind{"standard", func() (propagation.TextMapPropagator, func() propagate.Counts) {
		c := &propagate.Counters{}
		return propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{Counters: c}, propagate.Baggage{Counters: c},
		), c.Counts
	}}
)

// onEach runs f on every wire, with a fresh propagator of every kind given.
func onEach(t *testing.T, kinds []kind, f func(t *testing.T, s *site, w wire, counts func() propagate.Counts)) {
	t.Helper()
	for _, k := range kinds {
		for name, open := range wires {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				p, counts := k.make()
				s := newSite(t, p)
				f(t, s, open(t, s), counts)
			})
		}
	}
}

var both = []kind{sampledFirst, standard}

// hello sends a message of a trace that began elsewhere, and returns it as it
// arrives, in the same trace.
func hello(t *testing.T, s *site, w wire, parent, state, bag string) arrival {
	t.Helper()
	ctx, span := s.sender(t, parent, state, bag)
	w.send(ctx, "hello")
	span.End()
	got := s.next(t)
	assert.Equal(t, "hello", got.body)
	assert.Equal(t, traceID, got.span.TraceID().String())
	return got
}

func TestTraceGoesOn(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		got := hello(t, s, w, sampled, state, bag)
		assert.True(t, got.span.IsSampled())
		assert.Equal(t, state, got.span.TraceState().String())
		assert.Equal(t, bag, got.bag)
		assert.True(t, got.parent.IsRemote())
		assert.True(t, s.isOurs(got.parent.SpanID()), "the parent is a span of the sender's")
		assert.Equal(t, state, got.onward["tracestate"])
		assert.Zero(t, counts())
	})
}

func TestUnsampledGoesOnByItsIdentifiersAlone(t *testing.T) {
	onEach(t, []kind{sampledFirst}, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		got := hello(t, s, w, unsampled, state, bag)
		assert.False(t, got.span.IsSampled())
		assert.Empty(t, got.span.TraceState().String())
		assert.Empty(t, got.bag)
		assert.Empty(t, s.recorded.Started(), "nobody records")
		assert.EqualValues(t, 3, counts().Unsampled, "injected, extracted, and injected by the receiver")
	})
}

func TestUnsampledGoesOnWhole(t *testing.T) {
	onEach(t, []kind{standard}, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		got := hello(t, s, w, unsampled, state, bag)
		assert.False(t, got.span.IsSampled())
		assert.Equal(t, state, got.onward["tracestate"])
		assert.Equal(t, bag, got.bag)
		assert.Empty(t, s.recorded.Started(), "nobody records")
		assert.Zero(t, counts())
	})
}

// Level 2 allows keys that OTel's TraceState cannot hold. They keep their place,
// and go no further than the request that brought them.
func TestMembersThatOTelCannotHold(t *testing.T) {
	const state = "a=1,foo@=2,b=3,foo@@bar=4,c=5"
	onEach(t, both, func(t *testing.T, s *site, w wire, _ func() propagate.Counts) {
		w.sendRaw("first", pair{"traceparent", sampled}, pair{"tracestate", state})
		first := s.next(t)
		assert.Equal(t, "a=1,b=3,c=5", first.span.TraceState().String())
		assert.Equal(t, state, first.onward["tracestate"])
		w.sendRaw("second", pair{"traceparent", sampled}, pair{"tracestate", "c=5"})
		assert.Equal(t, "c=5", s.next(t).onward["tracestate"])
		w.sendRaw("third", pair{"traceparent", sampled})
		assert.NotContains(t, s.next(t).onward, "tracestate")
	})
}

// What lies in a carrier before an injection came from somebody else.
func TestWhatASenderHadIsReplaced(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, _ func() propagate.Counts) {
		w.sendRaw("first", pair{"traceparent", stale}, pair{"tracestate", "stale=1"}, pair{"baggage", "stale=yes"})
		assert.Equal(t, "stale=1", s.next(t).span.TraceState().String())
		got := hello(t, s, w, sampled, "", "")
		assert.Empty(t, got.span.TraceState().String())
		assert.Empty(t, got.bag)
	})
}

// What one request brings must not be seen by the next of the same trace.
func TestRequestsOfOneTraceStayApart(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, _ func() propagate.Counts) {
		w.sendRaw("first", pair{"traceparent", sampled}, pair{"tracestate", state}, pair{"baggage", bag})
		first := s.next(t)
		assert.Equal(t, state, first.onward["tracestate"])
		assert.Equal(t, bag, first.onward["baggage"])
		w.sendRaw("second", pair{"traceparent", sampled})
		second := s.next(t)
		assert.Equal(t, traceID, second.span.TraceID().String())
		assert.Equal(t, spanID, second.parent.SpanID().String())
		assert.NotContains(t, second.onward, "tracestate")
		assert.NotContains(t, second.onward, "baggage")
		w.sendRaw("third", pair{"traceparent", sampled}, pair{"tracestate", "c=3"})
		assert.Equal(t, "c=3", s.next(t).onward["tracestate"])
	})
}

func TestMalformedHeadersLetTheMessageThrough(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		w.sendRaw("malformed", pair{"traceparent", sampled + "-"}, pair{"tracestate", "a=1"}, pair{"baggage", bag})
		got := s.next(t)
		assert.Equal(t, "malformed", got.body)
		assert.NotEqual(t, traceID, got.span.TraceID().String())
		assert.False(t, got.parent.IsValid(), "a root")
		assert.Empty(t, got.span.TraceState().String())
		assert.Equal(t, propagate.Counts{Refused: 1}, counts())

		w.sendRaw("tracestate", pair{"traceparent", sampled}, pair{"tracestate", "=,="}, pair{"baggage", "=;"})
		got = s.next(t)
		assert.Equal(t, "tracestate", got.body)
		assert.Equal(t, traceID, got.span.TraceID().String())
		assert.Empty(t, got.span.TraceState().String())
		assert.Empty(t, got.bag)
		assert.Equal(t, propagate.Counts{Refused: 3}, counts(), "the traceparent before, tracestate and baggage now")
	})
}

// Two writers may have spelled a key in two ways, with two values. HTTP and gRPC make one
// key of them, which is then repeated.
func TestTwoSpellings(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		w.sendRaw("two", pair{"Traceparent", stale}, pair{"traceparent", sampled}, pair{"tracestate", state})
		got := s.next(t)
		assert.Equal(t, "two", got.body)
		assert.False(t, got.parent.IsValid(), "a root")
		assert.Empty(t, got.span.TraceState().String())
		assert.Equal(t, propagate.Counts{Refused: 1}, counts())
	})
}

func TestRepeatedHeaders(t *testing.T) {
	onEach(t, both, func(t *testing.T, s *site, w wire, counts func() propagate.Counts) {
		if w.once { // The last one wins before anything can see the others.
			w.sendRaw("repeated", pair{"traceparent", sampled}, pair{"tracestate", "a=1"}, pair{"tracestate", "b=2"})
			assert.Equal(t, "b=2", s.next(t).span.TraceState().String())
			return
		}
		w.sendRaw("tracestate", pair{"traceparent", sampled},
			pair{"tracestate", "a=1,b=2"}, pair{"tracestate", "c=3"}, pair{"tracestate", "d=4"})
		got := s.next(t)
		assert.Equal(t, "a=1,b=2,c=3,d=4", got.span.TraceState().String())
		assert.Equal(t, "a=1,b=2,c=3,d=4", got.onward["tracestate"])
		assert.Zero(t, counts())

		w.sendRaw("traceparent", pair{"traceparent", sampled}, pair{"traceparent", stale})
		got = s.next(t)
		assert.Equal(t, "traceparent", got.body)
		assert.False(t, got.parent.IsValid(), "a root")
		assert.Equal(t, propagate.Counts{Refused: 1}, counts())
	})
}
