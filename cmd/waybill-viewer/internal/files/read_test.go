// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package files_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/files"
	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
	"github.com/waybill-go/waybill/internal/traces/otlpjson"
)

// read returns all spans of a file.
func read(t testing.TB, in io.Reader) ([]sdktrace.ReadOnlySpan, files.Counts) {
	t.Helper()
	var all []sdktrace.ReadOnlySpan
	counts, err := files.Read(in, func(spans []sdktrace.ReadOnlySpan) { all = append(all, spans...) })
	require.NoError(t, err)
	require.Len(t, all, counts.Spans)
	return all, counts
}

// recorded returns spans of two services that have something in every field.
func recorded(t testing.TB) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	tracer := func(service string) trace.Tracer {
		return sdktrace.NewTracerProvider(
			sdktrace.WithSpanProcessor(recorder),
			sdktrace.WithResource(resource.NewWithAttributes("https://example.com/a", attribute.String("service.name", service))),
		).Tracer("till", trace.WithInstrumentationVersion("v1"), trace.WithSchemaURL("https://example.com/b"),
			trace.WithInstrumentationAttributes(attribute.Int("n", 1)))
	}
	state, err := trace.ParseTraceState("vendor=1")
	require.NoError(t, err)
	far := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	}))
	begin := time.Unix(1_700_000_000, 5).UTC()
	ctx, parent := tracer("shop").Start(far, "parent <script>", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begin))
	_, child := tracer("stock").Start(ctx, "child \x1b[31m", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(begin),
		trace.WithLinks(trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.Bool("b", true)}}),
		trace.WithAttributes(
			attribute.String("s", "x"), attribute.Float64("f", 0.5), attribute.StringSlice("l", []string{"y", "z"}),
			attribute.Bool("b", true), attribute.Int64("i", -1<<62), attribute.Int64Slice("is", []int64{1, 2}),
			attribute.Map("m", attribute.Int("i", 1), attribute.Slice("mixed", attribute.IntValue(1), attribute.StringValue("x"))),
			attribute.ByteSlice("raw", []byte{0, 1}), attribute.KeyValue{Key: "empty"}))
	child.AddEvent("bang", trace.WithTimestamp(begin.Add(time.Second)), trace.WithAttributes(attribute.Int("n", 1)))
	child.SetStatus(codes.Error, "broken")
	child.End(trace.WithTimestamp(begin.Add(time.Minute)))
	parent.SetStatus(codes.Ok, "")
	parent.End(trace.WithTimestamp(begin.Add(time.Hour)))
	return recorder.Ended()
}

func written(t testing.TB, spans []sdktrace.ReadOnlySpan) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, otlpjson.Write(&out, spans))
	return out.Bytes()
}

// TestDownloadsComeBackUnchanged writes spans as the console's download does, reads them, and
// writes them again.
func TestDownloadsComeBackUnchanged(t *testing.T) {
	spans := recorded(t)
	once := written(t, spans)
	again, counts := read(t, bytes.NewReader(once))
	assert.Equal(t, files.Counts{Spans: 2}, counts)
	assert.Equal(t, string(once), string(written(t, again)))
	want := tracetest.SpanStubsFromReadOnlySpans(spans)
	for i := range want {
		want[i].ChildSpanCount = 0 // OTLP has no such field.
		want[i].Parent = want[i].Parent.WithTraceState(trace.TraceState{})
	}
	got := tracetest.SpanStubsFromReadOnlySpans(again)
	for i := range got {
		assert.ElementsMatch(t, want[i].Attributes, got[i].Attributes)
		want[i].Attributes, got[i].Attributes = nil, nil
	}
	assert.Equal(t, want, got)
}

// TestCollectorReadsDownloads reads and writes a download with the collector's library.
func TestCollectorReadsDownloads(t *testing.T) {
	once := written(t, recorded(t))
	traces, err := decode.JSON(once)
	require.NoError(t, err)
	assert.Equal(t, 2, traces.SpanCount())
	assert.Equal(t, string(once), string(written(t, convert.Spans(traces, time.Time{}).Spans)))
	body, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	again, _ := read(t, bytes.NewReader(body))
	assert.Equal(t, string(once), string(written(t, again)))
}

const one = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},` +
	`"scopeSpans":[{"scope":{"name":"till"},"spans":[` + span + `]}]}]}`

const span = `{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"a","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000000001"}`

func TestFilesOfOtherProgramsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		want files.Counts
	}{
		"one object":            {one, files.Counts{Spans: 1}},
		"an object a line":      {one + "\n" + one + "\n\n" + one, files.Counts{Spans: 3}},
		"nothing between them":  {one + one, files.Counts{Spans: 2}},
		"nothing":               {"", files.Counts{}},
		"white space":           {" \n\t\r\n", files.Counts{}},
		"no spans":              {`{}`, files.Counts{}},
		"null":                  {`{"resourceSpans":null}{"resourceSpans":[null]}{"resourceSpans":[{"scopeSpans":null}]}`, files.Counts{}},
		"null below":            {`{"resourceSpans":[{"resource":null,"scopeSpans":[null,{"spans":null,"scope":null}]}]}`, files.Counts{}},
		"unknown members":       {`{"a":{"b":[1,{"c":null}]},` + one[1:len(one)-1] + `,"z":7}`, files.Counts{Spans: 1}},
		"white space in it":     {strings.NewReplacer(":", " : ", ",", " ,\n", "[", "[\n").Replace(one), files.Counts{Spans: 1}},
		"names of protobuf":     {strings.NewReplacer("resourceSpans", "resource_spans", "scopeSpans", "scope_spans").Replace(one), files.Counts{Spans: 1}},
		"the resource last":     {`{"resourceSpans":[{"scopeSpans":[{"spans":[` + span + `]}],"resource":{}}]}`, files.Counts{Spans: 1}},
		"metrics and logs":      {`{"resourceMetrics":[{},{"x":[{}]}]}{"resourceLogs":[{}]}` + one, files.Counts{Spans: 1, Others: 3}},
		"a span without an ID":  {strings.Replace(one, `"spanId":"0102030405060708",`, "", 1), files.Counts{Rejected: 1, Reason: convert.ErrSpanID}},
		"a span that never was": {strings.Replace(one, `"endTimeUnixNano":"1700000000000000001"`, `"endTimeUnixNano":"1"`, 1), files.Counts{Spans: 1, Mended: 1}},
	} {
		_, counts := read(t, strings.NewReader(test.file))
		assert.Equal(t, test.want, counts, name)
	}
}

func TestSpansKeepTheirResourceAndScope(t *testing.T) {
	file := one + `{"resourceSpans":[{"scopeSpans":[` +
		`{"spans":[` + span + `],"scope":{"name":"a"},"schemaUrl":"https://example.com/a"},{"scope":{"name":"empty"}},{"spans":[` + span + "," + span + `]}],` +
		`"schemaUrl":"https://example.com/r","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"last"}}]}}]}`
	spans, _ := read(t, strings.NewReader(file))
	require.Len(t, spans, 4)
	for i, want := range []struct{ service, schema, scope, scopeSchema string }{
		{"shop", "", "till", ""}, {"last", "https://example.com/r", "a", "https://example.com/a"},
		{"last", "https://example.com/r", "", ""}, {"last", "https://example.com/r", "", ""},
	} {
		service, _ := spans[i].Resource().Set().Value("service.name")
		assert.Equal(t, want.service, service.AsString())
		assert.Equal(t, want.schema, spans[i].Resource().SchemaURL())
		assert.Equal(t, want.scope, spans[i].InstrumentationScope().Name)
		assert.Equal(t, want.scopeSchema, spans[i].InstrumentationScope().SchemaURL)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	long := strings.Repeat("x", 3*files.MaxValue/2)
	for name, test := range map[string]struct {
		file  string
		spans int // before the error
		want  string
	}{
		"text":               {"hello", 0, "at byte 0: invalid character 'h'"},
		"an array":           {"[" + one + "]", 0, "at byte 1: this is not OTLP in JSON"},
		"a number":           {"7", 0, "this is not OTLP"},
		"another shape":      {`{"resourceSpans":{}}`, 0, "this is not OTLP"},
		"a shape below":      {`{"resourceSpans":[{"scopeSpans":["x"]}]}`, 0, "this is not OTLP"},
		"a span that is no":  {strings.Replace(one, span, `7`, 1), 0, "the request is malformed"},
		"cut off":            {one + one[:len(one)-3], 1, "unexpected EOF"},
		"cut off in a span":  {one + one[:len(one)-30], 1, "unexpected EOF"},
		"cut off in a name":  {one + `{"resou`, 1, "unexpected EOF"},
		"a long span":        {strings.Replace(one, `"a"`, `"`+long+`"`, 1), 0, "longer than 8 MiB"},
		"a long resource":    {strings.Replace(one, `"shop"`, `"`+long+`"`, 1), 0, "longer than 8 MiB"},
		"a long member":      {`{"` + long + `":7}`, 0, "longer than 8 MiB"},
		"white space":        {strings.Repeat(" ", 2*files.MaxValue), 0, "longer than 8 MiB"},
		"deep":               {strings.Replace(one, span, strings.Repeat("[", 1000)+strings.Repeat("]", 1000), 1), 0, "nested too deeply"},
		"many empty objects": {strings.Replace(one, span, `{"attributes":[`+strings.Repeat("{},", 1<<20)+`{}]}`, 1), 0, "too much memory"},
		"a late resource": {
			`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat(span+",", 10_000) + span + `]}],"resource":{}}]}`, 0,
			"a resource comes after its spans",
		},
	} {
		var spans int
		counts, err := files.Read(strings.NewReader(test.file), func(all []sdktrace.ReadOnlySpan) { spans += len(all) })
		assert.ErrorContains(t, err, test.want, name)
		assert.Equal(t, test.spans, spans, name)
		assert.Equal(t, test.spans, counts.Spans, name)
	}
}

// TestDeepMembersAreSkipped skips what the parser would need much memory for.
func TestDeepMembersAreSkipped(t *testing.T) {
	const depth = 9_000
	_, counts := read(t, strings.NewReader(`{"x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`,`+one[1:]))
	assert.Equal(t, 1, counts.Spans)
}

// TestAFileMayBeLargerThanTheMemory reads a file that is never in memory as a whole. All spans
// are of one resource and one scope.
func TestAFileMayBeLargerThanTheMemory(t *testing.T) {
	size := 100 << 20
	if testing.Short() || raceDetector {
		size = 10 << 20
	}
	head, tail, _ := strings.Cut(one, span)
	text := strings.Replace(span, `"a"`, `"`+strings.Repeat("n", 700)+`"`, 1) + ","
	times := size / len(text)
	in := io.MultiReader(strings.NewReader(head), &repeated{text: text, times: times}, strings.NewReader(span+tail))
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	spans := 0
	counts, err := files.Read(in, func(all []sdktrace.ReadOnlySpan) {
		spans += len(all)
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		service, _ := all[0].Resource().Set().Value("service.name")
		assert.Equal(t, "shop", service.AsString())
	})
	require.NoError(t, err)
	assert.Equal(t, times+1, spans)
	assert.Equal(t, files.Counts{Spans: times + 1}, counts)
	t.Logf("%d MiB at most, for a file of %d MiB", most>>20, size>>20)
	assert.Less(t, most, uint64(64<<20))
}

// repeated is a text that is repeated.
type repeated struct {
	text  string
	times int
	rest  string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.times == 0 {
			return 0, io.EOF
		}
		r.times--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// FuzzRead reads anything. What the collector's library reads as one document must give as many
// spans.
func FuzzRead(f *testing.F) {
	f.Add([]byte(one))
	f.Add([]byte(one + one[:len(one)-9]))
	f.Add(written(f, recorded(f)))
	f.Add([]byte(`{"resourceLogs":[[]],"resourceSpans":[null,{"scopeSpans":[null,{"spans":[null]}]}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		spans := 0
		counts, err := files.Read(bytes.NewReader(file), func(all []sdktrace.ReadOnlySpan) {
			spans += len(all)
			_ = written(t, all)
		})
		if counts.Spans != spans {
			t.Fatalf("%d spans, and it says %d", spans, counts.Spans)
		}
		whole, failed := decode.JSON(file)
		if failed != nil || bytes.Contains(file, []byte("eprecated")) || !bytes.HasPrefix(file, []byte("{")) {
			return
		}
		want := fmt.Sprint(whole.SpanCount())
		if got := fmt.Sprint(counts.Spans + counts.Rejected); err == nil && got != want {
			t.Fatalf("%s spans of %s", got, want)
		}
	})
}
