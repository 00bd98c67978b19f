// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waybill-go/waybill/internal/otlptest"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// otlpOf returns OTLP in JSON of spans, a document in a line for each half of them, made
// by the SDK's exporter and the library for Protocol Buffers, without our help but for
// the IDs, which OTLP has in hexadecimal.
func otlpOf(t *testing.T, spans []sdktrace.ReadOnlySpan) []byte {
	t.Helper()
	var lines bytes.Buffer
	for _, part := range [][]sdktrace.ReadOnlySpan{spans[:len(spans)/2], spans[len(spans)/2:]} {
		text, err := protojson.Marshal(&tracepb.TracesData{ResourceSpans: otlptest.Exported(t, part)})
		require.NoError(t, err)
		var document any
		require.NoError(t, json.Unmarshal(text, &document))
		text, err = json.Marshal(hexadecimal(t, document))
		require.NoError(t, err)
		lines.Write(append(text, '\n'))
	}
	return lines.Bytes()
}

func hexadecimal(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = hexadecimal(t, v[i])
		}
	case map[string]any:
		for key := range v {
			id, isText := v[key].(string)
			if isText && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				raw, err := base64.StdEncoding.DecodeString(id)
				require.NoError(t, err)
				v[key] = hex.EncodeToString(raw)
				continue
			}
			v[key] = hexadecimal(t, v[key])
		}
	}
	return value
}

// What is read from OTLP is what the SDK had, with links, tracestates and late spans.
func TestOTLPSaysWhatTheSpansDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, sampling.Late{SlowerThan: 2 * time.Millisecond, CountSlow: true, PerSecond: sampling.Unlimited},
			mailbox.WithChainLimit(2, 0))
		next := p.spawn("next", func(context.Context, event) error { return nil })
		g := p.group("session", 200, func(ctx context.Context, i int) error {
			time.Sleep(time.Duration(1+i%7) * 400 * time.Microsecond)
			return next.Send(ctx, event{})
		}, mailbox.WithLinkedRoots())
		for range 5 {
			p.trace(func(ctx context.Context) { g.Broadcast(ctx, event{}) })
			time.Sleep(time.Second)
		}
		spans := p.spans()
		var sdk, otlp estimate.Spans
		for _, span := range spans {
			sdk.Add(span)
		}
		require.NoError(t, otlp.AddOTLP(bytes.NewReader(otlpOf(t, spans))))
		assert.Equal(t, sdk.Tally(), otlp.Tally())
		for _, name := range []string{"session event", "next event", "broadcast sessions", "root"} {
			a, b := sdk.Named(name).Handled, otlp.Named(name).Handled
			require.Positive(t, a.Count().Value, name)
			assert.Equal(t, a.Count(), b.Count(), name)
			assert.Equal(t, a.Total(), b.Total(), name)
			assert.Equal(t, a.Quantile(0.99), b.Quantile(0.99), name)
		}
		attrs := func(s *estimate.Spans) map[trace.SpanID][]attribute.KeyValue {
			found := make(map[trace.SpanID][]attribute.KeyValue)
			s.Select(func(span estimate.Span) (float64, bool) {
				found[span.SpanContext().SpanID()] = append([]attribute.KeyValue{}, span.Attributes()...)
				return 0, false
			})
			return found
		}
		assert.Equal(t, attrs(&sdk), attrs(&otlp))
		before := otlp.Tally()
		require.NoError(t, otlp.AddOTLP(bytes.NewReader(otlpOf(t, spans))))
		before.LeftOut = before.Spans
		assert.Equal(t, before, otlp.Tally(), "an exporter may send twice")
	})
}

// The example of the specification's repository, and forms that are allowed besides.
func TestOTLPInAllItsForms(t *testing.T) {
	const head = `{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"x"},"spans":[`
	const tail = `]}]}]}`
	const span = `{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"",
		"name":"work","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661500000000,"kind":2,
		"attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":4}},
			{"key":"s","value":{"stringValue":"x"}},{"key":"b","value":{"boolValue":true}},
			{"key":"i","value":{"intValue":"9223372036854775807"}},{"key":"j","value":{"intValue":7}},
			{"key":"n","value":{"doubleValue":"-Infinity"}},{"key":"e","value":{}},{"key":"z","value":null},
			{"key":"l","value":{"arrayValue":{"values":[{"intValue":1}]}}}],
		"links":[null,{}],"unknown":{"deep":[1]}}`
	var s estimate.Spans
	require.NoError(t, s.AddOTLP(strings.NewReader("\n"+head+span+tail+"{}\n\n"+`{"resourceSpans":null}`)))
	assert.Equal(t, estimate.SpansTally{Spans: 1, Headless: 1}, s.Tally())
	work := s.Named("work").Handled
	assert.Equal(t, 4.0, work.Count().Value)
	assert.Equal(t, 1.5, work.Mean().Value)
	s.Select(func(span estimate.Span) (float64, bool) {
		var got []string
		for _, kv := range span.Attributes() {
			got = append(got, string(kv.Key)+"="+kv.Value.String())
		}
		assert.Equal(t, []string{
			"waybill.fanout.weight=4", "s=x", "b=true", "i=9223372036854775807", "j=7", "n=-Infinity", "e={}", "z=",
			`l={"arrayValue":{"values":[{"intValue":1}]}}`,
		}, got)
		return 0, false
	})

	// IDs that are none, and times that are missing.
	require.NoError(t, s.AddOTLP(strings.NewReader(head+
		`{"name":"work"},{"traceId":"00","spanId":"x"},{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0000000000000000"},
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","name":"work","startTimeUnixNano":null}`+tail)))
	assert.Equal(t, estimate.SpansTally{Spans: 2, Headless: 2, LeftOut: 3}, s.Tally())
	_, invalid := s.LeftOut()
	assert.Equal(t, 3, invalid)
	assert.Equal(t, 1, s.Named("work").Handled.Tally().Invalid)
}

func TestOTLPThatIsNone(t *testing.T) {
	for _, text := range []string{
		"x", "{", `{"resourceSpans":1}`, `[]`, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"now"}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"intValue":1e30}}]}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"doubleValue":"many"}}]}]}]}]}`,
	} {
		var s estimate.Spans
		require.ErrorIs(t, s.AddOTLP(strings.NewReader("{}\n"+text)), estimate.ErrOTLP, text)
	}
	broken := errors.New("broken")
	var s estimate.Spans
	err := s.AddOTLP(io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, estimate.ErrOTLP)
}

// endless is the text of a document that goes on for a number of bytes, and looks at how
// much memory is in use meanwhile.
type endless struct {
	head, part string
	left, read int
	most       uint64
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if e.head != "" {
		n = copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	for n < len(p) {
		n += copy(p[n:], e.part[(e.read+n)%len(e.part):])
	}
	e.left -= n
	if e.read/(3<<20) != (e.read+n)/(3<<20) {
		runtime.GC()
		e.most = max(e.most, inUse())
	}
	e.read += n
	return n, nil
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Whatever its length, what is read takes no more memory than the spans in it.
func TestOTLPOfAnyLength(t *testing.T) {
	if raceDetector {
		t.Skip("many bytes, and one goroutine")
	}
	const head = `{"resourceSpans":[{"scopeSpans":[{"spans":[`
	const span = `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"`
	for name, test := range map[string]struct {
		head, part string
		refused    bool
	}{
		"spans that are none":  {head + `{}`, `,{}`, false},
		"the same span":        {head + span + "}", "," + span + "}", false},
		"empty documents":      {"", "{}\n", false},
		"empty resources":      {`{"resourceSpans":[{}`, ",{}", false},
		"what nobody knows":    {`{"x":[0],"y":{}`, `,"x":[0],"y":{}`, false},
		"a long name":          {head + `{"name":"`, "aaaaaaaa", true},
		"a long key":           {`{"`, "aaaaaaaa", true},
		"many attributes":      {head + span + `,"attributes":[{}`, ",{}", true},
		"many links":           {head + span + `,"links":[{}`, ",{}", true},
		"blanks":               {"{", "        ", true},
		"brackets":             {"", "[", true},
		"brackets, not read":   {`{"x":`, "[", true},
		"brackets in a value":  {head + span + `,"attributes":[{"key":"k","value":`, `{"arrayValue":`, true},
		"a number of no end":   {head + span + `,"startTimeUnixNano":`, "1", true},
		"a string of no value": {head + span + `,"endTimeUnixNano":"`, "1", true},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			before := inUse()
			e := &endless{head: test.head, part: test.part, left: 12 << 20}
			var s estimate.Spans
			err := s.AddOTLP(e)
			assert.LessOrEqual(t, s.Tally().Spans, 1)
			if e.most > before {
				assert.Less(t, e.most-before, uint64(24<<20))
			}
			if name != "empty documents" {
				require.ErrorIs(t, err, estimate.ErrOTLP, "it has no end, at least")
			}
			if test.refused {
				assert.Less(t, e.read, 9<<20, "and nobody waits for it")
			}
		})
	}
}

// What is of no use is not kept.
func TestOTLPKeepsWhatIsOfUse(t *testing.T) {
	many := strings.Repeat("{},", 1_000_000) + "{}"
	runtime.GC()
	before := inUse()
	var s estimate.Spans
	require.NoError(t, s.AddOTLP(strings.NewReader(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+
		`{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":[`+many+`]},`+
		`{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","links":[`+many+`]}]}]}]}`)))
	runtime.GC()
	assert.Equal(t, 2, s.Tally().Spans)
	if after := inUse(); after > before {
		assert.Less(t, after-before, uint64(8<<20))
	}
}

// FuzzOTLP reads whatever there is. It is read to the end, or there is an error that says
// so; in one piece or byte by byte it is the same; and read again, it is all there already.
func FuzzOTLP(f *testing.F) {
	const head = `{"resourceSpans":[{"scopeSpans":[{"spans":[`
	f.Add([]byte(`{}`))
	f.Add([]byte(head + `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a",` +
		`"parentSpanId":"eee19b7ec3c1b175","startTimeUnixNano":"1","endTimeUnixNano":2,"traceState":"ot=th:8",` +
		`"attributes":[{"key":"waybill.fanout.weight","value":{"doubleValue":"4"}},` +
		`{"key":"waybill.fanout.sampled","value":{"intValue":"2147483647"}},{"key":"waybill.fanout.size","value":{"intValue":7}}],` +
		`"links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b176"}]}]}]}]}`))
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":null}],"resourceSpans":[]}null{"resourceSpans":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var whole, slow estimate.Spans
		err := whole.AddOTLP(bytes.NewReader(text))
		if err != nil && !errors.Is(err, estimate.ErrOTLP) {
			t.Fatal(err)
		}
		if bytewise := slow.AddOTLP(iotest.OneByteReader(bytes.NewReader(text))); (err == nil) != (bytewise == nil) {
			t.Fatalf("%v, and byte by byte %v", err, bytewise)
		}
		tally := whole.Tally()
		if slow.Tally() != tally {
			t.Fatalf("%+v, and byte by byte %+v", tally, slow.Tally())
		}
		d := whole.Named("a")
		sane(t, d.Handled.Count(), 0)
		sane(t, d.Handled.Total(), 0)
		_ = whole.AddOTLP(bytes.NewReader(text))
		if whole.Tally().Spans != tally.Spans {
			t.Fatalf("%+v, then %+v", tally, whole.Tally())
		}
	})
}
