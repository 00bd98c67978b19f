// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpjson_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/internal/otlptest"
	"github.com/waybill-go/waybill/internal/traces/otlpjson"
	"github.com/waybill-go/waybill/sampling/estimate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func contextOf(t *testing.T, id byte, state string, flags trace.TraceFlags, remote bool) trace.SpanContext {
	t.Helper()
	parsed, err := trace.ParseTraceState(state)
	require.NoError(t, err)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xAB, 15: 1}, SpanID: trace.SpanID{0xCD, 7: id},
		TraceState: parsed, TraceFlags: flags, Remote: remote,
	})
}

// everyType has an attribute of each type.
func everyType() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Bool("bool", true), attribute.Bool("false", false),
		attribute.Int64("int", math.MinInt64), attribute.Int("zero", 0),
		attribute.Float64("double", 1.5), attribute.Float64("least", 5e-324), attribute.Float64("large", 1e300),
		attribute.Float64("nan", math.NaN()), attribute.Float64("inf", math.Inf(1)), attribute.Float64("-inf", math.Inf(-1)),
		attribute.String("string", "ü \"<>&\" \u2028\x00"), attribute.String("empty", ""),
		attribute.BoolSlice("bools", []bool{true, false}), attribute.Int64Slice("ints", []int64{1, math.MaxInt64}),
		attribute.Float64Slice("doubles", []float64{0.25, math.Inf(1)}), attribute.StringSlice("strings", []string{"a", ""}),
		attribute.StringSlice("none", nil),
		{Key: "bytes", Value: attribute.ByteSliceValue([]byte{0, 255})},
		{Key: "no bytes", Value: attribute.ByteSliceValue(nil)},
		{Key: "mixed", Value: attribute.SliceValue(
			attribute.Int64Value(1), attribute.StringValue("x"), attribute.SliceValue(attribute.Value{}))},
		{Key: "map", Value: attribute.MapValue(attribute.Int("a", 1),
			attribute.KeyValue{Key: "b", Value: attribute.MapValue(attribute.Bool("c", true))})},
		{Key: "nothing"},
	}
}

// spans returns spans with everything that a span can have, of two services.
func spans(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	at := time.Unix(1767355200, 123456789)
	api := resource.NewWithAttributes("https://example.com/resource", attribute.String("service.name", "api"))
	guild := resource.NewSchemaless(attribute.String("service.name", "guild"), attribute.Int("shard", 3))
	http := instrumentation.Scope{
		Name: "http", Version: "v1", SchemaURL: "https://example.com/scope",
		Attributes: attribute.NewSet(attribute.Bool("x", true)),
	}
	root := contextOf(t, 1, "ot=th:8,x=y", trace.FlagsSampled, false)
	stubs := tracetest.SpanStubs{
		{
			Name: "POST /", SpanContext: root, SpanKind: trace.SpanKindServer, StartTime: at, EndTime: at.Add(time.Second),
			Attributes: everyType(), DroppedAttributes: 1, DroppedEvents: 2, DroppedLinks: 3,
			Events: []sdktrace.Event{
				{Name: "exception", Time: at.Add(1), Attributes: everyType(), DroppedAttributeCount: 4},
				{Name: "", Time: at.Add(2)},
			},
			Links: []sdktrace.Link{
				{SpanContext: contextOf(t, 9, "", 0, true), Attributes: everyType(), DroppedAttributeCount: 5},
				{SpanContext: contextOf(t, 10, "", trace.FlagsSampled, false)},
			},
			Status: sdktrace.Status{Code: codes.Error, Description: "no luck"}, Resource: api, InstrumentationScope: http,
		},
		{
			Name: "guild Message", SpanContext: contextOf(t, 2, "", trace.FlagsSampled|trace.FlagsRandom, false),
			Parent: contextOf(t, 1, "", trace.FlagsSampled, true), SpanKind: trace.SpanKindConsumer,
			StartTime: at, EndTime: at, Status: sdktrace.Status{Code: codes.Ok}, Resource: guild,
		},
		{
			Name: "inner", SpanContext: contextOf(t, 3, "", 0, false), Parent: root, SpanKind: trace.SpanKindInternal,
			StartTime: at, EndTime: at, Resource: api, InstrumentationScope: http,
		},
		{
			Name: "other", SpanContext: contextOf(t, 4, "", 0, false), Parent: root, SpanKind: trace.SpanKindClient,
			StartTime: at, EndTime: at, Resource: api, InstrumentationScope: instrumentation.Scope{Name: "other"},
		},
		{Name: "odd", SpanContext: contextOf(t, 5, "", 0, false), SpanKind: 99, Status: sdktrace.Status{Code: 99}, DroppedLinks: -1},
	}
	return append(stubs.Snapshots(), nil)
}

func written(t testing.TB, spans []sdktrace.ReadOnlySpan) []byte {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, otlpjson.Write(&text, spans))
	require.True(t, json.Valid(text.Bytes()))
	require.Equal(t, 1, bytes.Count(text.Bytes(), []byte("\n")))
	return text.Bytes()
}

// parse reads the JSON with the library for Protocol Buffers, which fails for fields that the
// protocol does not have. It has IDs in base64, and OTLP has them in hexadecimal.
func parse(t *testing.T, text []byte) *tracepb.TracesData {
	t.Helper()
	var document any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&document))
	text, err := json.Marshal(inBase64(t, document))
	require.NoError(t, err)
	var data tracepb.TracesData
	require.NoError(t, protojson.Unmarshal(text, &data))
	return &data
}

func inBase64(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = inBase64(t, v[i])
		}
	case map[string]any:
		for key := range v {
			id, isText := v[key].(string)
			if isText && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				raw, err := hex.DecodeString(id)
				require.NoError(t, err)
				v[key] = base64.StdEncoding.EncodeToString(raw)
				continue
			}
			v[key] = inBase64(t, v[key])
		}
	}
	return value
}

// What is written is what the SDK's exporter would send.
func TestTheJSONSaysWhatTheExporterDoes(t *testing.T) {
	all := spans(t)[:4] // The exporter writes times before 1970 as they come.
	got := parse(t, written(t, all))
	exported := otlptest.Exported(t, all)
	require.Len(t, exported, 2)
	if exported[0].SchemaUrl == "" {
		exported[0], exported[1] = exported[1], exported[0]
	}
	for _, r := range exported { // It leaves out a scope without a name.
		for _, s := range r.ScopeSpans {
			if s.Scope == nil {
				s.Scope = got.ResourceSpans[1].ScopeSpans[0].Scope
				assert.Empty(t, s.Scope.Name)
			}
		}
	}
	want := &tracepb.TracesData{ResourceSpans: exported}
	assert.True(t, proto.Equal(want, got), "want %v\ngot %v", want, got)
}

func TestTheJSONIsWhatAnEstimateReads(t *testing.T) {
	var read estimate.Spans
	all := spans(t)
	require.NoError(t, read.AddOTLP(bytes.NewReader(written(t, all))))
	found := make(map[trace.SpanID]estimate.Span)
	read.Select(func(span estimate.Span) (float64, bool) {
		found[span.SpanContext().SpanID()] = span
		return 0, false
	})
	require.Len(t, found, 5)
	for _, want := range all[:4] {
		got := found[want.SpanContext().SpanID()]
		assert.Equal(t, want.Name(), got.Name())
		assert.Equal(t, want.SpanContext().TraceState(), got.SpanContext().TraceState())
		assert.Equal(t, want.Parent().SpanID(), got.Parent().SpanID())
		assert.True(t, want.StartTime().Equal(got.StartTime()))
		assert.True(t, want.EndTime().Equal(got.EndTime()))
		assert.Len(t, got.Attributes(), len(want.Attributes()))
	}
}

const golden = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"guild"}},` +
	`{"key":"shard","value":{"intValue":"3"}}]},"scopeSpans":[{"scope":{"name":"mailbox"},"spans":[` +
	`{"traceId":"ab000000000000000000000000000001","spanId":"cd00000000000002","traceState":"ot=th:8",` +
	`"parentSpanId":"cd00000000000001","flags":769,"name":"guild Message","kind":5,` +
	`"startTimeUnixNano":"1767355200000000001","endTimeUnixNano":"1767355200000000002",` +
	`"attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":10}}],` +
	`"events":[{"timeUnixNano":"1767355200000000001","name":"begun"}],` +
	`"links":[{"traceId":"ab000000000000000000000000000001","spanId":"cd00000000000007","traceState":"a=b","flags":257}],` +
	`"status":{"message":"no luck","code":2}}]}],"schemaUrl":"https://example.com"}]}` + "\n"

func TestGoldenBytes(t *testing.T) {
	at := time.Unix(1767355200, 1)
	stub := tracetest.SpanStub{
		Name: "guild Message", SpanContext: contextOf(t, 2, "ot=th:8", trace.FlagsSampled, false),
		Parent: contextOf(t, 1, "", trace.FlagsSampled, true), SpanKind: trace.SpanKindConsumer,
		StartTime: at, EndTime: at.Add(1), Attributes: []attribute.KeyValue{attribute.Float64("waybill.fanout.weight", 10)},
		Events: []sdktrace.Event{{Name: "begun", Time: at}},
		Links:  []sdktrace.Link{{SpanContext: contextOf(t, 7, "a=b", trace.FlagsSampled, false)}},
		Status: sdktrace.Status{Code: codes.Error, Description: "no luck"},
		Resource: resource.NewWithAttributes("https://example.com",
			attribute.String("service.name", "guild"), attribute.Int("shard", 3)),
		InstrumentationScope: instrumentation.Scope{Name: "mailbox"},
	}
	check := func(want string, spans []sdktrace.ReadOnlySpan) {
		got := written(t, spans)
		assert.Truef(t, bytes.Equal([]byte(want), got), "want %s\ngot %s", want, got)
	}
	check(golden, tracetest.SpanStubs{stub}.Snapshots())
	check("{\"resourceSpans\":[]}\n", nil)
}

func TestTimesThatTheProtocolDoesNotHave(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Time
		want uint64
	}{
		"none":        {time.Time{}, 0},
		"before 1970": {time.Unix(-1, 999_999_999), 0},
		"1970":        {time.Unix(0, 0), 0},
		"first":       {time.Unix(0, 1), 1},
		"after 2262":  {time.Unix(math.MaxInt64/int64(time.Second), 0), math.MaxInt64},
		"far":         {time.Unix(1<<60, 0), math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			stub := tracetest.SpanStub{SpanContext: contextOf(t, 1, "", 0, false), StartTime: test.at, EndTime: test.at}
			data := parse(t, written(t, tracetest.SpanStubs{stub}.Snapshots()))
			span := data.ResourceSpans[0].ScopeSpans[0].Spans[0]
			assert.Equal(t, test.want, span.StartTimeUnixNano)
			assert.Equal(t, test.want, span.EndTimeUnixNano)
		})
	}
}

var errShort = errors.New("no room")

// short is a writer that takes some bytes and then fails.
type short struct{ left int }

// Write implements io.Writer.
func (s *short) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		return 0, errShort
	}
	return len(p), nil
}

func TestAWriterThatFails(t *testing.T) {
	all := spans(t)
	size := len(written(t, all))
	for limit := 0; limit < size; limit += 101 {
		require.ErrorIs(t, otlpjson.Write(&short{left: limit}, all), errShort, limit)
	}
	require.NoError(t, otlpjson.Write(&short{left: size}, all))
}

func FuzzStrings(f *testing.F) {
	f.Add("name", "key", "value")
	f.Add("\xff", "\x00", "\xed\xa0\x80")
	f.Add("</script>", strings.Repeat("\\\"", 100), "\u2028\U0010FFFF")
	f.Fuzz(func(t *testing.T, name, key, value string) {
		stub := tracetest.SpanStub{
			Name: name, SpanContext: contextOf(t, 1, "", 0, false),
			Attributes: []attribute.KeyValue{
				attribute.String(key, value), attribute.StringSlice(key, []string{value, name}),
				{Key: attribute.Key(key), Value: attribute.ByteSliceValue([]byte(value))},
			},
			Events:   []sdktrace.Event{{Name: name}},
			Status:   sdktrace.Status{Code: codes.Error, Description: value},
			Resource: resource.NewSchemaless(attribute.String(key, value)),
		}
		span := parse(t, written(t, tracetest.SpanStubs{stub}.Snapshots())).ResourceSpans[0].ScopeSpans[0].Spans[0]
		valid := func(s string) string { return string([]rune(s)) } // Each wrong byte becomes U+FFFD.
		assert.Equal(t, valid(name), span.Name)
		assert.Equal(t, valid(name), span.Events[0].Name)
		assert.Equal(t, valid(value), span.Status.Message)
		assert.Equal(t, valid(key), span.Attributes[0].Key)
		assert.Equal(t, valid(value), span.Attributes[0].Value.GetStringValue())
		assert.Equal(t, valid(name), span.Attributes[1].Value.GetArrayValue().Values[1].GetStringValue())
		assert.Equal(t, value, string(span.Attributes[2].Value.GetBytesValue()))
	})
}
