// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const stranger = "00-11111111111111111111111111111111-2222222222222222-01"

// exact holds every key as it was written, in its order, and shows one value of each, as
// carriers of brokers' instrumentation do.
type exact struct{ list *[][2]string }

func (c exact) Get(key string) string {
	for _, pair := range *c.list {
		if pair[0] == key {
			return pair[1]
		}
	}
	return ""
}
func (c exact) Set(key, value string) { *c.list = append(*c.list, [2]string{key, value}) }
func (c exact) Keys() (keys []string) {
	for _, pair := range *c.list {
		keys = append(keys, pair[0])
	}
	return keys
}

// twice builds a carrier of every kind that tells two spellings of a key apart. Each holds
// value under key, and other under the same key as net/http spells it.
func twice(key, value, other string) map[string]propagation.TextMapCarrier {
	canonical := http.CanonicalHeaderKey(key)
	lists := map[string][]string{key: {value}, canonical: {other}}
	values := map[string]string{key: value, canonical: other}
	kafka := []kafkaHeader{{canonical, []byte(other)}, {key, []byte(value)}}
	pointers := []*bytesHeader{{[]byte(key), []byte(value)}, {[]byte(canonical), []byte(other)}}
	return map[string]propagation.TextMapCarrier{
		"header":       propagation.HeaderCarrier(lists),
		"map":          propagation.MapCarrier(values),
		"own header":   propagate.HeaderCarrier(lists),
		"own list":     propagate.MetadataCarrier(lists),
		"own map":      propagate.MapCarrier(values),
		"own table":    propagate.TableCarrier(map[string]any{key: value, canonical: []byte(other)}),
		"own pairs":    kafkaPairs(&kafka),
		"own pointers": pointerPairs(&pointers),
		"multi":        multi(lists),
		"getter":       getter{values},
		"bytes":        inBytes{key: []byte(value), canonical: []byte(other)},
		"exact":        exact{&[][2]string{{key, value}, {canonical, other}}},
	}
}

// A relay that copies old headers and a writer that adds new ones leave two values.
// Whichever is meant, it is not for a reader to choose.
func TestTwoSpellingsAreADuplicate(t *testing.T) {
	counters := new(propagate.Counters)
	for name, p := range map[string]propagation.TextMapPropagator{
		"sampled first": propagate.SampledFirst{Counters: counters},
		"dropping":      propagate.SampledFirst{Counters: counters, DropUnsampled: true},
		"trace context": propagate.TraceContext{Counters: counters},
		"linking": propagate.Boundary{
			Policy: propagate.Link, Propagator: propagate.TraceContext{Counters: counters}, Counters: counters,
		},
		"continuing": propagate.Boundary{
			Policy: propagate.Continue, Propagator: propagate.SampledFirst{Counters: counters}, Counters: counters,
		},
	} {
		for kind, c := range twice("traceparent", sampled, stranger) {
			before := counters.Counts()
			ctx := p.Extract(t.Context(), c)
			assert.False(t, trace.SpanContextFromContext(ctx).IsValid(), "%s, %s", name, kind)
			_, linked := propagate.CallerLink(ctx)
			assert.False(t, linked, "%s, %s", name, kind)
			before.Refused++
			assert.Equal(t, before, counters.Counts(), "%s, %s", name, kind)
		}
	}
	assert.Equal(t, counters.Counts().Refused, counters.Figures().Malformed)
}

func TestTwoSpellingsOfATraceState(t *testing.T) {
	for kind, c := range twice("tracestate", "a=1", "b=2") {
		c.Set("traceparent", sampled)
		counters := new(propagate.Counters)
		for _, p := range []propagation.TextMapPropagator{
			propagate.SampledFirst{Counters: counters}, propagate.TraceContext{Counters: counters},
		} {
			sc := trace.SpanContextFromContext(p.Extract(t.Context(), c))
			assert.Equal(t, traceID, sc.TraceID().String(), kind)
			assert.Zero(t, sc.TraceState().Len(), kind)
		}
		assert.Equal(t, propagate.Figures{TraceStateRefused: 2}, counters.Figures(), kind)
	}
}

func TestTwoSpellingsOfBaggage(t *testing.T) {
	for kind, c := range twice("baggage", "user=alice", "user=bob") {
		counters := new(propagate.Counters)
		for _, p := range []propagation.TextMapPropagator{
			propagate.Baggage{Counters: counters}, propagate.SampledFirst{Counters: counters},
			propagate.Boundary{Propagator: propagate.Baggage{Counters: counters}},
		} {
			assert.Empty(t, bagOf(p.Extract(t.Context(), c)), kind)
		}
		assert.Equal(t, propagate.Figures{BaggageRefused: 3}, counters.Figures(), kind)
	}
}

// One value in both spellings is one value, as where a writer serves readers of either.
func TestTwoSpellingsOfOneValue(t *testing.T) {
	for kind, c := range twice("traceparent", sampled, sampled) {
		p := sampledFirst()
		assert.True(t, trace.SpanContextFromContext(p.Extract(t.Context(), c)).IsSampled(), kind)
		assert.Zero(t, p.Counters.Counts(), kind)
	}
	for kind, c := range twice("traceparent", sampled, "") {
		if _, lists := c.(propagation.ValuesGetter); lists {
			continue // A list with an empty value is not an empty list.
		}
		assert.True(t, trace.SpanContextFromContext(sampledFirst().Extract(t.Context(), c)).IsSampled(), kind)
	}
	lists := map[string][]string{"traceparent": {sampled}, "Traceparent": {}}
	assert.Equal(t, saysSampled, peekHeader(lists), "an empty list is none")
}

// Other propagators see nothing in our carriers either, and what is written replaces both.
func TestCarriersWithTwoSpellings(t *testing.T) {
	for kind, c := range twice("traceparent", sampled, stranger) {
		if !strings.HasPrefix(kind, "own") {
			continue
		}
		assert.Empty(t, c.Get("traceparent"), kind)
		assert.Empty(t, c.Get("Traceparent"), kind)
		if v, ok := c.(propagation.ValuesGetter); ok {
			assert.Empty(t, v.Values("traceparent"), kind)
		}
		sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), c))
		assert.False(t, sc.IsValid(), kind)
	}
	for kind, c := range twice("traceparent", sampled, stranger) {
		if kind == "exact" || kind == "getter" {
			continue // They cannot delete what is under a key that nobody writes.
		}
		propagate.TraceContext{}.Inject(contextWith(t, spanContext(t, 0, ""), ""), c)
		sc := trace.SpanContextFromContext(sampledFirst().Extract(t.Context(), c))
		assert.Equal(t, traceID, sc.TraceID().String(), kind)
		assert.Len(t, c.Keys(), 1, kind)
	}
}

// A carrier that repeats a field in both spellings has it twice.
func TestRepeatedValuesInTwoSpellings(t *testing.T) {
	list := []kafkaHeader{
		{"tracestate", []byte("a=1")}, {"Tracestate", []byte("a=1")},
		{"Tracestate", []byte("b=2")}, {"tracestate", []byte("b=2")},
	}
	assert.Equal(t, []string{"a=1", "b=2"}, pairsOf(kafkaPairs, &list).Values("tracestate"))
	longer := slices.Clone(list)
	longer[3] = kafkaHeader{"Tracestate", []byte("c=3")}
	assert.Empty(t, pairsOf(kafkaPairs, &longer).Values("tracestate"))
	assert.Empty(t, pairsOf(kafkaPairs, &longer).Values("TRACESTATE"))
	shorter := list[:3]
	assert.Empty(t, pairsOf(kafkaPairs, &shorter).Values("tracestate"))
}
