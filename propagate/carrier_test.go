// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"net/http"
	"net/textproto"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// Types as the libraries declare them that the carriers are for.
type (
	natsHeader  map[string][]string
	grpcMD      map[string][]string
	metadata    map[string]string
	amqpTable   map[string]any
	kafkaHeader struct {
		Key   string
		Value []byte
	}
	bytesHeader struct{ Key, Value []byte }
)

var (
	kafkaPairs = propagate.PairsCarrier(
		func(h kafkaHeader) (string, []byte) { return h.Key, h.Value },
		func(key string, value []byte) kafkaHeader { return kafkaHeader{key, value} },
	)
	pointerPairs = propagate.PairsCarrier(
		func(h *bytesHeader) (key, value []byte) { return h.Key, h.Value },
		func(key, value []byte) *bytesHeader { return &bytesHeader{key, value} },
	)
)

// deleting is what the carriers of the package have in common.
type deleting interface {
	propagation.TextMapCarrier
	Delete(key string)
}

// pairs is what a carrier of pairs has.
type pairs interface {
	deleting
	propagation.ValuesGetter
	SetBytes(key string, value []byte)
}

func pairsOf[E any](carrier func(*[]E) propagation.TextMapCarrier, list *[]E) pairs {
	return carrier(list).(pairs)
}

// spelled builds a carrier of each kind that holds one value under each key.
func spelled(keys ...string) map[string]deleting {
	header, list, plain, table := http.Header{}, grpcMD{}, metadata{}, amqpTable{}
	var kafka []kafkaHeader
	var pointers []*bytesHeader
	for _, key := range keys {
		value := "under " + key
		header[key], list[key], plain[key], table[key] = []string{value}, []string{value}, value, value
		kafka = append(kafka, kafkaHeader{key, []byte(value)})
		pointers = append(pointers, &bytesHeader{[]byte(key), []byte(value)})
	}
	return map[string]deleting{
		"header": propagate.HeaderCarrier(header).(deleting), "list": propagate.MetadataCarrier(list).(deleting),
		"map": propagate.MapCarrier(plain).(deleting), "table": propagate.TableCarrier(table).(deleting),
		"pairs": pairsOf(kafkaPairs, &kafka), "pointers": pairsOf(pointerPairs, &pointers),
	}
}

func TestCarriersReadTwoSpellings(t *testing.T) {
	for _, asked := range []string{"traceparent", "tracestate", "baggage", "x-b3-traceid"} {
		canonical := http.CanonicalHeaderKey(asked)
		for _, key := range []string{asked, canonical} {
			for kind, c := range spelled("other", key) {
				assert.Equal(t, "under "+key, c.Get(asked), "%s of %s", asked, kind)
				assert.Equal(t, "under "+key, c.Get(canonical), "%s of %s", canonical, kind)
				if v, ok := c.(propagation.ValuesGetter); ok {
					assert.Equal(t, []string{"under " + key}, v.Values(asked), "%s of %s", asked, kind)
				}
			}
		}
		for kind, c := range spelled("other", "tRACEPARENT", "TRACESTATE", "BagGage", "X-B3-TRACEID") {
			assert.Empty(t, c.Get(asked), "%s of %s", asked, kind)
			if v, ok := c.(propagation.ValuesGetter); ok {
				assert.Empty(t, v.Values(asked), "%s of %s", asked, kind)
			}
		}
	}
}

// A key that both spellings write alike is one key.
func TestCarriersReadKeysOfOneSpelling(t *testing.T) {
	for kind, c := range spelled("a key") {
		assert.Equal(t, "under a key", c.Get("a key"), kind)
		if v, ok := c.(propagation.ValuesGetter); ok {
			assert.Equal(t, []string{"under a key"}, v.Values("a key"), kind)
		}
	}
}

func TestCarriersLeaveNoSecondSpelling(t *testing.T) {
	all := []string{"other", "traceparent", "Traceparent", "TRACEPARENT", "traceParent", "trace-parent"}
	for kind, c := range spelled(all...) {
		c.Set("TraceParent", "new")
		want := []string{"other", "traceparent", "trace-parent"}
		if kind == "header" {
			want[1] = "Traceparent"
		}
		assert.ElementsMatch(t, want, c.Keys(), kind)
		assert.Equal(t, "new", c.Get("traceparent"), kind)
		assert.Equal(t, "under other", c.Get("other"), kind)
	}
	for kind, c := range spelled(all...) {
		c.Delete("tracePARENT")
		assert.ElementsMatch(t, []string{"other", "trace-parent"}, c.Keys(), kind)
		c.Delete("never there")
		assert.ElementsMatch(t, []string{"other", "trace-parent"}, c.Keys(), kind)
	}
	for kind, c := range spelled(all...) {
		sampledFirst().Inject(contextWith(t, spanContext(t, 1, ""), ""), c)
		assert.Len(t, c.Keys(), 3, kind)
		assert.Equal(t, sampled, c.Get("traceparent"), kind)
	}
	const longS = "trace\u017ftate" // Folds to the same letters, but is no spelling.
	for kind, c := range spelled(longS, "tracestate") {
		c.Delete("tracestate")
		assert.Equal(t, []string{longS}, c.Keys(), kind)
	}
}

// The conversions that the documentation shows, of the types that they are for.
func TestCarriersOfForeignTypes(t *testing.T) {
	p := sampledFirst()
	ctx := contextWith(t, spanContext(t, 1, "a=1,b=2"), "user=alice")
	h, mime, nats, md := http.Header{}, textproto.MIMEHeader{}, natsHeader{}, grpcMD{}
	meta, table := metadata{}, amqpTable{}
	for _, c := range []propagation.TextMapCarrier{
		propagate.HeaderCarrier(h), propagate.HeaderCarrier(mime), propagate.MetadataCarrier(nats),
		propagate.MetadataCarrier(md), propagate.MapCarrier(meta), propagate.TableCarrier(table),
	} {
		p.Inject(ctx, c)
	}
	assert.Equal(t, sampled, h.Get("traceparent"))
	assert.Equal(t, sampled, mime.Get("traceparent"))
	assert.Equal(t, []string{"a=1,b=2"}, nats["tracestate"])
	assert.Equal(t, []string{"a=1,b=2"}, md["tracestate"])
	assert.Equal(t, metadata{"traceparent": sampled, "tracestate": "a=1,b=2", "baggage": "user=alice"}, meta)
	assert.Equal(t, amqpTable{"traceparent": sampled, "tracestate": "a=1,b=2", "baggage": "user=alice"}, table)
}

func TestTableReadsText(t *testing.T) {
	table := amqpTable{"traceparent": []byte(sampled), "tracestate": 7, "baggage": nil}
	c := propagate.TableCarrier(table).(deleting)
	assert.Equal(t, sampled, c.Get("traceparent"))
	assert.Empty(t, c.Get("tracestate"))
	assert.Empty(t, c.Get("baggage"))
	sc := trace.SpanContextFromContext(sampledFirst().Extract(t.Context(), c))
	assert.True(t, sc.IsSampled())
	c.Delete("tracestate")
	assert.Len(t, table, 2)
}

// Repeated fields are one list, in their order, and a repeated traceparent is
// none.
func TestCarriersShowWhatIsRepeated(t *testing.T) {
	states := []string{"a=1", "", "b=2,c=3"}
	list := func(parents ...string) []kafkaHeader {
		headers := []kafkaHeader{{"tracestate", []byte(states[0])}}
		for _, parent := range parents {
			headers = append(headers, kafkaHeader{"traceparent", []byte(parent)})
		}
		return append(headers, kafkaHeader{"tracestate", []byte(states[1])}, kafkaHeader{"tracestate", []byte(states[2])},
			kafkaHeader{"TraceState", []byte("z=26")})
	}
	build := func(parents ...string) []propagation.TextMapCarrier {
		kafka := list(parents...)
		return []propagation.TextMapCarrier{
			propagate.HeaderCarrier(http.Header{"Traceparent": parents, "Tracestate": states}),
			propagate.MetadataCarrier(grpcMD{"traceparent": parents, "tracestate": states}),
			propagate.MetadataCarrier(grpcMD{"Traceparent": parents, "Tracestate": states}),
			propagate.MetadataCarrier(grpcMD{"traceparent": parents, "Tracestate": states, "TraceState": {"z=26"}}),
			kafkaPairs(&kafka),
		}
	}
	p := sampledFirst()
	for _, c := range build(sampled) {
		sc := trace.SpanContextFromContext(p.Extract(t.Context(), c))
		assert.Equal(t, "a=1,b=2,c=3", sc.TraceState().String(), "%T", c)
	}
	twice := build(sampled, sampled)
	for _, c := range twice {
		assert.False(t, trace.SpanContextFromContext(p.Extract(t.Context(), c)).IsValid(), "%T", c)
	}
	assert.EqualValues(t, len(twice), p.Counters.Figures().Malformed)
}

// Peeking at a header finds what the carriers find.
func TestPeekHeaderOfForeignTypes(t *testing.T) {
	for _, key := range []string{"traceparent", "Traceparent"} {
		nats, md := natsHeader{key: {sampled}}, grpcMD{key: {unsampled}}
		assert.Equal(t, saysSampled, peekHeader(nats))
		assert.Equal(t, sampled, propagate.MetadataCarrier(nats).Get("traceparent"))
		assert.Equal(t, saysUnsampled, peekHeader(md))
		assert.Equal(t, unsampled, propagate.HeaderCarrier(md).Get("traceparent"))
	}
}

func TestCarriersLeaveSharedValuesAlone(t *testing.T) {
	shared := []string{stale}
	for _, c := range []propagation.TextMapCarrier{
		propagate.HeaderCarrier(http.Header{"Traceparent": shared}), propagate.MetadataCarrier(grpcMD{"traceparent": shared}),
	} {
		c.Set("traceparent", sampled)
		assert.Equal(t, sampled, c.Get("traceparent"))
		assert.Equal(t, []string{stale}, shared)
	}
}

// Two records may share their headers' array, and what lies behind its end.
func TestPairsLeaveSharedListsAlone(t *testing.T) {
	array := make([]kafkaHeader, 2, 8)
	array[0], array[1] = kafkaHeader{"traceparent", []byte(stale)}, kafkaHeader{"other", []byte("kept")}
	before := slices.Clone(array[:8])
	one, two := array, array[1:]
	p := sampledFirst()
	p.Inject(contextWith(t, spanContext(t, 1, "a=1"), "user=alice"), kafkaPairs(&one))
	p.Inject(contextWith(t, spanContext(t, 0, ""), ""), kafkaPairs(&two))
	assert.Equal(t, before, array[:8])
	assert.Len(t, one, 4)
	assert.Equal(t, []kafkaHeader{{"other", []byte("kept")}, {"traceparent", []byte(unsampled)}}, two)

	// The room behind the end of a copy is the carrier's alone.
	var list []kafkaHeader
	c := pairsOf(kafkaPairs, &list)
	c.Set("a", "1")
	other := append(list, kafkaHeader{"x", nil}) //nolint:gocritic // That is the danger.
	c.Set("b", "2")
	assert.Equal(t, []kafkaHeader{{"a", []byte("1")}, {"x", nil}}, other)
	assert.Equal(t, []kafkaHeader{{"a", []byte("1")}, {"b", []byte("2")}}, list)

	// The list may be replaced behind the carrier's back.
	list = []kafkaHeader{{"new", nil}, {"b", []byte("3")}}
	replaced := list
	c.Set("c", "4")
	assert.Equal(t, []string{"new", "b", "c"}, c.Keys())
	c.Delete("c")
	c.Delete("b")
	c.Delete("new")
	assert.Empty(t, list)
	c.Set("d", "5")
	assert.Equal(t, []string{"d"}, c.Keys())
	assert.Equal(t, []kafkaHeader{{"new", nil}, {"b", []byte("3")}}, replaced)
}

func TestPairsKeepFieldsApart(t *testing.T) {
	list := []kafkaHeader{
		{"traceparent", []byte("p")}, {"tracestate", []byte("s")}, {"baggage", []byte("b")}, {"other", []byte("o")},
	}
	c := pairsOf(kafkaPairs, &list)
	parent, state, bag, other := c.Values("traceparent"), c.Values("tracestate"), c.Values("baggage"), c.Values("other")
	assert.Equal(t, [][]string{{"p"}, {"s"}, {"b"}, {"o"}}, [][]string{parent, state, bag, other})
}

// What is set as bytes stays those bytes, where the list holds such.
func TestPairsKeepBytes(t *testing.T) {
	var list []kafkaHeader
	value := []byte(sampled)
	pairsOf(kafkaPairs, &list).SetBytes("Traceparent", value)
	require.Len(t, list, 1)
	assert.Equal(t, "traceparent", list[0].Key)
	assert.Same(t, &value[0], &list[0].Value[0])

	type text struct{ key, value string }
	var texts []text
	c := pairsOf(propagate.PairsCarrier(
		func(h text) (string, string) { return h.key, h.value },
		func(key, value string) text { return text{key, value} },
	), &texts)
	c.SetBytes("a", value)
	value[0] = '?'
	assert.Equal(t, []text{{"a", sampled}}, texts)
	propagate.TraceContext{}.Inject(contextWith(t, spanContext(t, 0, "b=2"), ""), c)
	assert.Equal(t, []text{{"a", sampled}, {"traceparent", unsampled}, {"tracestate", "b=2"}}, texts)
}

func TestPairsMisuse(t *testing.T) {
	assert.Panics(t, func() { propagate.PairsCarrier[int, string, string](nil, nil) })
	assert.Panics(t, func() {
		propagate.PairsCarrier(func(int) (key, value string) { return "", "" }, nil)
	})
	c := kafkaPairs(nil)
	require.Empty(t, c.Get("traceparent"))
	c.Set("traceparent", sampled)
	assert.Equal(t, sampled, c.Get("traceparent"))
}

func TestCarrierAllocations(t *testing.T) {
	carry := sampledFirst()
	var drop propagation.TextMapPropagator = dropUnsampled()
	background, ctx := t.Context(), contextWith(t, spanContext(t, 0, ""), "")
	header := http.Header{"Traceparent": {unsampled}, "Tracestate": {"a=1"}, "Accept": {"*/*"}}
	nats := natsHeader{"traceparent": {unsampled}, "tracestate": {"a=1"}, "Nats-Msg-Id": {"7"}}
	meta := metadata{"traceparent": unsampled, "tracestate": "a=1"}
	kafka := []kafkaHeader{{"other", nil}, {"traceparent", []byte(unsampled)}}
	pointers := []*bytesHeader{{[]byte("other"), nil}, {[]byte("traceparent"), []byte(unsampled)}}
	out, outList, outMap := http.Header{"Accept": {"*/*"}}, natsHeader{}, metadata{}
	var sink []string
	var outKafka []kafkaHeader
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"peek into a list", 0, func() { sinkDecision = peekHeader(nats) }},
		{"peek into a map", 0, func() { sinkDecision = peek(propagate.MapCarrier(meta).Get("traceparent")) }},
		{"values of a header", 0, func() { sink = propagate.HeaderCarrier(header).(propagation.ValuesGetter).Values("traceparent") }},
		{"values of a list", 0, func() { sink = propagate.MetadataCarrier(nats).(propagation.ValuesGetter).Values("tracestate") }},
		// For the context, as with the carriers of package propagation.
		{"extract from a header", 2, func() { _ = carry.Extract(background, propagate.HeaderCarrier(header)) }},
		{"extract from a list", 2, func() { _ = carry.Extract(background, propagate.MetadataCarrier(nats)) }},
		{"extract from a map", 2, func() { _ = carry.Extract(background, propagate.MapCarrier(meta)) }},
		// A carrier of a map costs nothing itself.
		{"drop from a header", 0, func() { _ = drop.Extract(background, propagate.HeaderCarrier(header)) }},
		{"drop from a list", 0, func() { _ = drop.Extract(background, propagate.MetadataCarrier(nats)) }},
		{"drop from a map", 0, func() { _ = drop.Extract(background, propagate.MapCarrier(meta)) }},
		// For the context, the carrier, and a string of the value's bytes.
		{"extract from pairs", 4, func() { _ = carry.Extract(background, kafkaPairs(&kafka)) }},
		{"extract from pointers", 4, func() { _ = carry.Extract(background, pointerPairs(&pointers)) }},
		// The traceparent, and the slice that holds it.
		{"inject into a header", 2, func() { carry.Inject(ctx, propagate.HeaderCarrier(out)) }},
		{"inject into a list", 2, func() { carry.Inject(ctx, propagate.MetadataCarrier(outList)) }},
		{"inject into a map", 1, func() { carry.Inject(ctx, propagate.MapCarrier(outMap)) }},
		// The traceparent, the carrier and the list.
		{"inject into pairs", 3, func() {
			outKafka = kafka[:1]
			carry.Inject(ctx, kafkaPairs(&outKafka))
		}},
		// The carrier, the list once for all three, and the bytes of each.
		{"set in pairs", 5, func() {
			outKafka = nil
			c := kafkaPairs(&outKafka)
			c.Set("traceparent", unsampled)
			c.Set("tracestate", "a=1")
			c.Set("baggage", "b=2")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.InDelta(t, tt.want, testing.AllocsPerRun(100, tt.f), 0)
		})
	}
	assert.Equal(t, []string{"a=1"}, sink)
}
