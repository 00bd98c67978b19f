// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-go/waybill/internal/otlpreceive/convert"
	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
)

// sample returns traces that have a value in every field that OTLP knows.
func sample() ptrace.Traces {
	traces := ptrace.NewTraces()
	ofResource := traces.ResourceSpans().AppendEmpty()
	ofResource.SetSchemaUrl("https://example.com/schema")
	ofResource.Resource().Attributes().PutStr("service.name", "shop")
	ofScope := ofResource.ScopeSpans().AppendEmpty()
	ofScope.Scope().SetName("till")
	ofScope.Scope().Attributes().PutBool("b", true)
	span := ofScope.Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{2})
	span.SetParentSpanID(pcommon.SpanID{3})
	span.SetName("a \"quoted\" [name] {with}, \\ brackets")
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_700_000_000, 1)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_700_000_001, 0)))
	span.TraceState().FromRaw("vendor=1")
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("broken")
	list := span.Attributes().PutEmptySlice("list")
	list.AppendEmpty().SetInt(7)
	list.AppendEmpty().SetEmptyMap().PutDouble("d", 0.5)
	span.Attributes().PutEmptyBytes("raw").FromRaw([]byte{0, 255})
	event := span.Events().AppendEmpty()
	event.SetName("event")
	event.Attributes().PutStr("k", "v")
	link := span.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{4})
	link.SetSpanID(pcommon.SpanID{5})
	link.Attributes().PutStr("k", "v")
	return traces
}

func TestBothFormsAreRead(t *testing.T) {
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(sample())
	require.NoError(t, err)
	got, err := decode.Proto(body)
	require.NoError(t, err)
	assert.Equal(t, sample(), got)

	body, err = new(ptrace.JSONMarshaler).MarshalTraces(sample())
	require.NoError(t, err)
	got, err = decode.JSON(body)
	require.NoError(t, err)
	assert.Equal(t, sample(), got)
}

// field returns a protobuf field that holds body.
func field(number protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
}

// within puts body into the fields that numbers says, the last one being the innermost.
func within(body []byte, numbers ...protowire.Number) []byte {
	for _, number := range slices.Backward(numbers) {
		body = field(number, body)
	}
	return body
}

// hostile are requests that are small on the wire and large in memory.
var hostile = map[string]struct {
	path  []protowire.Number // to where a field is repeated
	field protowire.Number
	json  string // the same: what comes before the elements, and one of them
	each  string
}{
	"resources":         {nil, 1, `{"resourceSpans":[`, `{}`},
	"scopes":            {[]protowire.Number{1}, 2, `{"resourceSpans":[{"scopeSpans":[`, `{}`},
	"old scopes":        {[]protowire.Number{1}, 1000, `{"resourceSpans":[{"deprecatedScopeSpans":[`, `{}`},
	"spans":             {[]protowire.Number{1, 2}, 2, `{"resourceSpans":[{"scopeSpans":[{"spans":[`, `{}`},
	"null spans":        {[]protowire.Number{1, 2}, 2, `{"resourceSpans":[{"scopeSpans":[{"spans":[`, `null`},
	"attributes":        {[]protowire.Number{1, 2, 2}, 9, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[`, `{}`},
	"events":            {[]protowire.Number{1, 2, 2}, 11, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[`, `{}`},
	"links":             {[]protowire.Number{1, 2, 2}, 13, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[`, `{}`},
	"resource's":        {[]protowire.Number{1, 1}, 1, `{"resourceSpans":[{"resource":{"attributes":[`, `{}`},
	"entities":          {[]protowire.Number{1, 1}, 3, `{"resourceSpans":[{"resource":{"entityRefs":[`, `{}`},
	"keys of an entity": {[]protowire.Number{1, 1, 3}, 3, `{"resourceSpans":[{"resource":{"entityRefs":[{"idKeys":[`, `""`},
	"array":             {[]protowire.Number{1, 2, 2, 9, 2, 5}, 1, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"arrayValue":{"values":[`, `{}`},
	"map":               {[]protowire.Number{1, 2, 2, 9, 2, 6}, 1, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"kvlistValue":{"values":[`, `{}`},
}

// closing returns the brackets that end what open began.
func closing(open string) string {
	var ends strings.Builder
	for i := len(open) - 1; i >= 0; i-- {
		switch open[i] {
		case '[':
			ends.WriteByte(']')
		case '{':
			ends.WriteByte('}')
		}
	}
	return ends.String()
}

func TestLargeInMemoryIsRefused(t *testing.T) {
	for name, h := range hostile {
		t.Run(name, func(t *testing.T) {
			const size = 5 << 19
			flood := bytes.Repeat(field(h.field, nil), size/len(field(h.field, nil)))
			_, err := decode.Proto(within(flood, h.path...))
			assert.ErrorIs(t, err, decode.ErrTooLarge)

			list := strings.Repeat(h.each+",", size/(len(h.each)+1)) + h.each
			_, err = decode.JSON([]byte(h.json + list + closing(h.json)))
			assert.ErrorIs(t, err, decode.ErrTooLarge)
		})
	}
}

// TestAcceptedIsSmallInMemory decodes and converts the largest requests of each kind that are
// accepted, and measures what they take.
func TestAcceptedIsSmallInMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("decodes many large requests")
	}
	for name, h := range hostile {
		t.Run(name, func(t *testing.T) {
			one := field(h.field, nil)
			body := largest(func(n int) ([]byte, bool) {
				body := within(bytes.Repeat(one, n), h.path...)
				_, err := decode.Proto(body)
				return body, err == nil
			})
			took := memory(t, func() (ptrace.Traces, error) { return decode.Proto(body) })
			t.Logf("%d bytes of protobuf take %d", len(body), took)
			assert.Less(t, took, uint64(decode.MaxMemory), "%d bytes of protobuf", len(body))

			body = largest(func(n int) ([]byte, bool) {
				body := []byte(h.json + strings.Repeat(h.each+",", n) + h.each + closing(h.json))
				_, err := decode.JSON(body)
				return body, err == nil
			})
			took = memory(t, func() (ptrace.Traces, error) { return decode.JSON(body) })
			t.Logf("%d bytes of JSON take %d", len(body), took)
			assert.Less(t, took, uint64(decode.MaxMemory), "%d bytes of JSON", len(body))
		})
	}
}

// largest returns about the largest body that is accepted.
func largest(body func(int) ([]byte, bool)) []byte {
	var best []byte
	for n := 1 << 15; ; n *= 2 {
		b, ok := body(n)
		if !ok {
			return best
		}
		best = b
	}
}

// memory returns how many bytes the traces that f decodes take, with the spans made of them.
func memory(t *testing.T, f func() (ptrace.Traces, error)) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	traces, err := f()
	if err != nil { // It may be malformed for the library.
		return 0
	}
	result := convert.Spans(traces, time.Time{})
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(traces)
	runtime.KeepAlive(result)
	return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
}

// TestSmallestSpansAreSmallInMemory sends as many spans as a request can have that can be shown.
func TestSmallestSpansAreSmallInMemory(t *testing.T) {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 60_000 {
		span := spans.AppendEmpty()
		span.SetTraceID(pcommon.TraceID{1})
		span.SetSpanID(pcommon.SpanID{1})
		span.SetStartTimestamp(1)
	}
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	took := memory(t, func() (ptrace.Traces, error) { return decode.Proto(body) })
	t.Logf("%d bytes of protobuf take %d", len(body), took)
	assert.Less(t, took, uint64(decode.MaxMemory))
	body, err = new(ptrace.JSONMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	took = memory(t, func() (ptrace.Traces, error) { return decode.JSON(body) })
	t.Logf("%d bytes of JSON take %d", len(body), took)
	assert.Less(t, took, uint64(decode.MaxMemory))
	assert.NotZero(t, took)
}

func TestDeepNestingIsRefused(t *testing.T) {
	const arrays = 200_000
	path := []protowire.Number{1, 2, 2, 9, 2}
	for range 100 {
		path = append(path, 5, 1)
	}
	_, err := decode.Proto(within(nil, path...))
	assert.ErrorIs(t, err, decode.ErrTooDeep)

	prefix := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":`
	nested := strings.Repeat(`{"arrayValue":{"values":[`, 100)
	_, err = decode.JSON([]byte(prefix + nested + closing(prefix+nested)))
	assert.ErrorIs(t, err, decode.ErrTooDeep)

	deep := strings.Repeat("[", arrays)
	_, err = decode.JSON([]byte(`{"resourceSpans":` + deep + closing(deep) + `}`))
	assert.Error(t, err)

	nested = strings.Repeat(`{"arrayValue":{"values":[`, 15)
	_, err = decode.JSON([]byte(prefix + nested + closing(prefix+nested)))
	assert.NoError(t, err, "what people may send is taken")
}

func TestMalformedIsRefused(t *testing.T) {
	for _, body := range []string{"\xff", "\x0a\x05a", "\x0a\x02\x12\x09", "\x0b", "\x00"} {
		_, err := decode.Proto([]byte(body))
		assert.ErrorIs(t, err, decode.ErrMalformed, "%q", body)
	}
	for _, body := range []string{"", "{", `{"resourceSpans":[}`, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}`, `"`, `"\`, `{"resourceSpans":7}`, "{\"\" \n:7}", `{"resourceSpans":[{"":[],"scopeSpans":[{"spans":[{}]}]}]}`} {
		_, err := decode.JSON([]byte(body))
		assert.ErrorIs(t, err, decode.ErrMalformed, "%q", body)
	}
	body := bytes.Repeat([]byte("n"), decode.MaxMemory+1)
	_, err := decode.JSON(body)
	assert.ErrorIs(t, err, decode.ErrTooLarge)
	_, err = decode.Proto(body)
	assert.ErrorIs(t, err, decode.ErrTooLarge)
}
