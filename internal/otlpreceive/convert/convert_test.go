// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package convert_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
)

var start = time.Unix(1_700_000_000, 1).UTC()

// request returns traces of one span, which change may change.
func request(change func(ptrace.Span)) ptrace.Traces {
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{2})
	span.SetName("span")
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Second)))
	if change != nil {
		change(span)
	}
	return traces
}

// one converts a request of one span that can be shown.
func one(t *testing.T, change func(ptrace.Span)) (span sdktrace.ReadOnlySpan, mended bool) {
	t.Helper()
	result := convert.Spans(request(change), time.Time{})
	require.Len(t, result.Spans, 1, "%v", result.Reason)
	assert.Zero(t, result.Rejected)
	return result.Spans[0], result.Mended == 1
}

func TestEverythingIsConverted(t *testing.T) {
	traces := request(func(span ptrace.Span) {
		span.SetParentSpanID(pcommon.SpanID{3})
		span.SetKind(ptrace.SpanKindConsumer)
		span.SetFlags(0x301)
		span.TraceState().FromRaw("vendor=1")
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("broken")
		span.Attributes().PutStr("s", "x")
		span.Attributes().PutInt("i", 7)
		span.SetDroppedAttributesCount(1)
		span.SetDroppedEventsCount(2)
		span.SetDroppedLinksCount(3)
		event := span.Events().AppendEmpty()
		event.SetName("bang")
		event.SetTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Millisecond)))
		event.Attributes().PutBool("b", true)
		event.SetDroppedAttributesCount(4)
		link := span.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID{4})
		link.SetSpanID(pcommon.SpanID{5})
		link.SetFlags(0x101)
		link.TraceState().FromRaw("vendor=2")
		link.Attributes().PutDouble("d", 0.5)
		link.SetDroppedAttributesCount(5)
	})
	ofResource := traces.ResourceSpans().At(0)
	ofResource.SetSchemaUrl("https://example.com/a")
	ofResource.Resource().Attributes().PutStr("service.name", "shop")
	ofScope := ofResource.ScopeSpans().At(0)
	ofScope.SetSchemaUrl("https://example.com/b")
	ofScope.Scope().SetName("till")
	ofScope.Scope().SetVersion("v1")
	ofScope.Scope().Attributes().PutStr("k", "v")

	state := func(s string) trace.TraceState {
		parsed, err := trace.ParseTraceState(s)
		require.NoError(t, err)
		return parsed
	}
	result := convert.Spans(traces, start)
	require.Len(t, result.Spans, 1)
	assert.Zero(t, result.Mended)
	want := tracetest.SpanStub{
		Name: "span",
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state("vendor=1"),
		}),
		Parent: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled, Remote: true,
		}),
		SpanKind:          trace.SpanKindConsumer,
		StartTime:         start,
		EndTime:           start.Add(time.Second),
		Attributes:        []attribute.KeyValue{attribute.String("s", "x"), attribute.Int("i", 7)},
		DroppedAttributes: 1, DroppedEvents: 2, DroppedLinks: 3,
		Status: sdktrace.Status{Code: codes.Error, Description: "broken"},
		Events: []sdktrace.Event{{
			Name: "bang", Time: start.Add(time.Millisecond),
			Attributes: []attribute.KeyValue{attribute.Bool("b", true)}, DroppedAttributeCount: 4,
		}},
		Links: []sdktrace.Link{{
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{4}, SpanID: trace.SpanID{5}, TraceFlags: trace.FlagsSampled, TraceState: state("vendor=2"),
			}),
			Attributes: []attribute.KeyValue{attribute.Float64("d", 0.5)}, DroppedAttributeCount: 5,
		}},
		Resource: resource.NewWithAttributes("https://example.com/a", attribute.String("service.name", "shop")),
		InstrumentationScope: instrumentation.Scope{
			Name: "till", Version: "v1", SchemaURL: "https://example.com/b", Attributes: attribute.NewSet(attribute.String("k", "v")),
		},
	}
	assert.Equal(t, want.Snapshot(), result.Spans[0])
}

func TestSpansThatCannotBeShownAreRejected(t *testing.T) {
	for name, test := range map[string]struct {
		change func(ptrace.Span)
		want   error
	}{
		"no trace ID":     {func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) }, convert.ErrTraceID},
		"no span ID":      {func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) }, convert.ErrSpanID},
		"no start":        {func(s ptrace.Span) { s.SetStartTimestamp(0) }, convert.ErrStart},
		"the end of time": {func(s ptrace.Span) { s.SetStartTimestamp(math.MaxUint64) }, convert.ErrStart},
		"almost so":       {func(s ptrace.Span) { s.SetStartTimestamp(math.MaxInt64) }, convert.ErrStart},
		"the future": {func(s ptrace.Span) {
			s.SetStartTimestamp(pcommon.NewTimestampFromTime(start.Add(convert.MaxAhead + 1)))
		}, convert.ErrFuture},
	} {
		traces := request(test.change)
		traces.ResourceSpans().At(0).ScopeSpans().AppendEmpty().Spans().AppendEmpty() // another one
		result := convert.Spans(traces, start)
		assert.Empty(t, result.Spans, name)
		assert.Equal(t, 2, result.Rejected, name)
		assert.Equal(t, test.want, result.Reason, name)
	}
	result := convert.Spans(request(nil), start.Add(-convert.MaxAhead))
	assert.Len(t, result.Spans, 1)
	result = convert.Spans(request(nil), time.Time{})
	assert.Len(t, result.Spans, 1, "a file may be of any time")
}

func TestTimesArePutRight(t *testing.T) {
	for name, end := range map[string]pcommon.Timestamp{
		"none": 0, "before the start": pcommon.NewTimestampFromTime(start.Add(-1)), "the end of time": math.MaxUint64,
	} {
		span, mended := one(t, func(s ptrace.Span) {
			s.SetEndTimestamp(end)
			s.Events().AppendEmpty()
			s.Events().AppendEmpty().SetTimestamp(math.MaxUint64)
		})
		assert.True(t, mended, name)
		assert.Equal(t, start, span.EndTime(), name)
		assert.Equal(t, start, span.Events()[0].Time, name)
		assert.Equal(t, start, span.Events()[1].Time, name)
	}
}

func TestTextsAreCut(t *testing.T) {
	for _, hostile := range []string{
		strings.Repeat("n", 8<<20), strings.Repeat("é", 4<<20), strings.Repeat("\xff", 1<<20), "a\xffb",
		strings.Repeat("a\xff", 1<<20), strings.Repeat("\x80", 1<<20),
	} {
		span, mended := one(t, func(s ptrace.Span) {
			s.SetName(hostile)
			s.Status().SetMessage(hostile)
			s.Attributes().PutStr(hostile, hostile)
			s.Events().AppendEmpty().SetName(hostile)
		})
		assert.True(t, mended)
		for _, text := range []string{span.Name(), string(span.Attributes()[0].Key), span.Events()[0].Name} {
			assert.True(t, utf8.ValidString(text))
			assert.LessOrEqual(t, len(text), convert.MaxName)
			assert.NotEmpty(t, text)
		}
		for _, text := range []string{span.Status().Description, span.Attributes()[0].Value.AsString()} {
			assert.True(t, utf8.ValidString(text))
			assert.LessOrEqual(t, len(text), convert.MaxText)
		}
	}
	span, mended := one(t, func(s ptrace.Span) { s.SetName(strings.Repeat("é", convert.MaxName)) })
	assert.True(t, mended)
	assert.True(t, strings.HasSuffix(span.Name(), "é…"))
	exact := strings.Repeat("n", convert.MaxName)
	span, mended = one(t, func(s ptrace.Span) { s.SetName(exact) })
	assert.False(t, mended)
	assert.Equal(t, exact, span.Name())
}

func TestTooManyAreLeftOutAndCounted(t *testing.T) {
	const more = 10
	span, _ := one(t, func(s ptrace.Span) {
		for range convert.MaxEvents + more {
			s.Events().AppendEmpty()
		}
		for range convert.MaxLinks + more {
			link := s.Links().AppendEmpty()
			link.SetTraceID(pcommon.TraceID{1})
			link.SetSpanID(pcommon.SpanID{1})
		}
		s.Links().At(0).SetTraceID(pcommon.TraceID{})
		s.Attributes().PutStr("", "no key")
		for i := range convert.MaxAttributes + more {
			s.Attributes().PutStr(strings.Repeat("k", i+1), "v")
		}
		s.SetDroppedAttributesCount(1)
		s.SetDroppedEventsCount(1)
		s.SetDroppedLinksCount(1)
	})
	assert.Len(t, span.Events(), convert.MaxEvents)
	assert.Equal(t, more+1, span.DroppedEvents())
	assert.Len(t, span.Links(), convert.MaxLinks)
	assert.Equal(t, more+1, span.DroppedLinks())
	assert.Len(t, span.Attributes(), convert.MaxAttributes)
	assert.Equal(t, more+2, span.DroppedAttributes())
}

func TestValuesOfEveryTypeAreConverted(t *testing.T) {
	span, mended := one(t, func(s ptrace.Span) {
		m := s.Attributes()
		for key, values := range map[string][]any{
			"strings": {"a", "b"}, "bools": {true, false}, "ints": {int64(1), int64(2)}, "floats": {0.5}, "none": {},
			"mixed": {"a", int64(1), true}, "lists": {[]any{"x"}, []any{"y"}},
		} {
			require.NoError(t, m.PutEmptySlice(key).FromRaw(values))
		}
		m.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
		m.PutEmpty("empty")
		require.NoError(t, m.PutEmptyMap("map").FromRaw(map[string]any{"k": []any{int64(1)}}))
	})
	assert.False(t, mended)
	assert.ElementsMatch(t, []attribute.KeyValue{
		attribute.StringSlice("strings", []string{"a", "b"}), attribute.BoolSlice("bools", []bool{true, false}),
		attribute.Int64Slice("ints", []int64{1, 2}), attribute.Float64Slice("floats", []float64{0.5}),
		attribute.StringSlice("none", nil),
		attribute.Slice("mixed", attribute.StringValue("a"), attribute.IntValue(1), attribute.BoolValue(true)),
		attribute.Slice("lists", attribute.StringSliceValue([]string{"x"}), attribute.StringSliceValue([]string{"y"})),
		attribute.ByteSlice("bytes", []byte{0, 255}),
		{Key: "empty"},
		attribute.Map("map", attribute.Int64Slice("k", []int64{1})),
	}, span.Attributes())
}

func TestNestedValuesAreBounded(t *testing.T) {
	const levels = 40
	span, mended := one(t, func(s ptrace.Span) {
		list := s.Attributes().PutEmptySlice("deep")
		for range levels {
			list = list.AppendEmpty().SetEmptySlice()
		}
		list.AppendEmpty().SetStr("the bottom")
	})
	assert.True(t, mended)
	value := span.Attributes()[0].Value
	for range convert.MaxNesting - 1 {
		require.Equal(t, attribute.SLICE, value.Type())
		value = value.AsSlice()[0]
	}
	assert.Equal(t, []string{strings.Repeat("[", 33) + `"the bottom"` + strings.Repeat("]", 33)}, value.AsStringSlice())

	span, mended = one(t, func(s ptrace.Span) {
		list := s.Attributes().PutEmptySlice("long")
		members := s.Attributes().PutEmptyMap("large")
		for i := range convert.MaxElements + 1 {
			list.AppendEmpty().SetInt(int64(i))
			members.PutInt(strings.Repeat("k", i+1), 1)
		}
		s.Attributes().PutEmptyBytes("raw").FromRaw(make([]byte, convert.MaxText+1))
	})
	assert.True(t, mended)
	assert.Len(t, span.Attributes()[0].Value.AsInt64Slice(), convert.MaxElements)
	assert.Len(t, span.Attributes()[1].Value.AsMap(), convert.MaxElements)
	assert.Len(t, span.Attributes()[2].Value.AsByteSlice(), convert.MaxText)
}

func TestTraceStateIsReadOrLeftOut(t *testing.T) {
	for _, malformed := range []string{"no equals sign", "a=1,a=2", "=", strings.Repeat("a=1,", 8<<20)} {
		span, mended := one(t, func(s ptrace.Span) { s.TraceState().FromRaw(malformed) })
		assert.True(t, mended)
		assert.Zero(t, span.SpanContext().TraceState().Len())
	}
}

func TestKindsAndCodesOfTheFutureAreNone(t *testing.T) {
	span, _ := one(t, func(s ptrace.Span) {
		s.SetKind(99)
		s.Status().SetCode(99)
	})
	assert.Equal(t, trace.SpanKindUnspecified, span.SpanKind())
	assert.Equal(t, codes.Unset, span.Status().Code)
	for _, want := range []trace.SpanKind{
		trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer,
	} {
		span, _ = one(t, func(s ptrace.Span) { s.SetKind(ptrace.SpanKind(want)) })
		assert.Equal(t, want, span.SpanKind())
	}
	span, _ = one(t, func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeOk) })
	assert.Equal(t, codes.Ok, span.Status().Code)
}

// TestNothingIsShared checks that the spans do not keep the request in memory.
func TestNothingIsShared(t *testing.T) {
	traces := request(func(s ptrace.Span) { s.Attributes().PutEmptyBytes("raw").FromRaw([]byte{1}) })
	result := convert.Spans(traces, time.Time{})
	before := slices.Clone(result.Spans[0].Attributes()[0].Value.AsByteSlice())
	traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutEmptyBytes("raw").FromRaw([]byte{2})
	assert.Equal(t, before, result.Spans[0].Attributes()[0].Value.AsByteSlice())
}
