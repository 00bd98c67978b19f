// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

// The snippets of docs/frames.md.
const (
	plainSnippet  = "frames.js"
	otelSnippet   = "testdata/otel.mjs"
	binarySnippet = "testdata/binary.js"
)

const (
	someTrace = "0af7651916cd43dd8448eb211c80319c"
	someSpan  = "b7ad6b7169203331"
)

// note is a message of the tests.
type note struct {
	Text string `json:"text"`
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// snippet returns what a file has after the comment that says that it is a snippet.
func snippet(t *testing.T, file string) string {
	t.Helper()
	_, after, found := strings.Cut(readFile(t, file), "docs/frames.md.\n\n")
	require.True(t, found, file)
	return after
}

// The documentation shows what is tested here.
func TestTheDocumentationShowsTheSnippets(t *testing.T) {
	page := readFile(t, "../../../../docs/frames.md")
	for _, file := range []string{plainSnippet, otelSnippet, binarySnippet} {
		assert.Contains(t, page, "```js\n"+snippet(t, file)+"```\n", file)
	}
	assert.LessOrEqual(t, strings.Count(snippet(t, plainSnippet), "\n"), 30, "it is to be short")
}

// script runs the snippet of a file, with the random numbers of a browser.
func script(t *testing.T, file string) feed {
	t.Helper()
	f := feed{t, goja.New()}
	require.NoError(t, f.js.Set("randomBytes", func(n int) []byte {
		bytes := make([]byte, n)
		_, _ = rand.Read(bytes)
		return bytes
	}))
	f.run(`const crypto = { getRandomValues(a) { a.set(Array.from(randomBytes(a.length))); return a; } };`)
	f.run(snippet(t, file))
	return f
}

func ids(traceID, spanID string, flags trace.TraceFlags) trace.SpanContext {
	t, _ := trace.TraceIDFromHex(traceID)
	s, _ := trace.SpanIDFromHex(spanID)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: t, SpanID: s, TraceFlags: flags, Remote: true})
}

func decoded(t *testing.T, data []byte) (envelope.Envelope[note], trace.SpanContext) {
	t.Helper()
	w := wire.Config[note]{Counters: new(wire.Counters)}
	e, err := w.Decode(data)
	require.NoError(t, err)
	assert.Equal(t, wire.Counts{Wrapped: 1}, w.Counters.Counts(), "nothing is malformed")
	return e, e.Header().SpanContext()
}

func TestThePlainSnippetWritesFrames(t *testing.T) {
	f := script(t, plainSnippet)
	for _, tt := range []struct {
		js    string
		flags trace.TraceFlags
	}{{"newSpan()", 3}, {"newSpan(undefined)", 3}, {"newSpan(null, false)", 2}} {
		f.run(`span = ` + tt.js)
		frame := f.run(`wrap({ text: "h\u00e9llo \"you\"" }, span)`).(string)
		e, sc := decoded(t, []byte(frame))
		assert.Equal(t, note{`héllo "you"`}, e.Message())
		assert.Equal(t, f.run(`span.traceId`), sc.TraceID().String())
		assert.Equal(t, f.run(`span.spanId`), sc.SpanID().String())
		assert.Equal(t, tt.flags, sc.TraceFlags())
	}
	assert.Equal(t, true, f.run(`const a = newSpan(), b = newSpan(a);
		a.traceId === b.traceId && a.spanId !== b.spanId && b.sampled && newSpan().traceId !== a.traceId`))
}

func TestThePlainSnippetReadsFrames(t *testing.T) {
	f := script(t, plainSnippet)
	read := func(frame string) map[string]any {
		require.NoError(t, f.js.Set("frame", frame))
		return f.run(`unwrap(frame)`).(map[string]any)
	}
	for _, flags := range []trace.TraceFlags{0, 1, 2, 3} {
		ctx := trace.ContextWithSpanContext(t.Context(), ids(someTrace, someSpan, flags))
		frame, err := wire.Config[note]{Form: wire.JSON}.Append(nil,
			envelope.Wrap(ctx, note{"hello"}, envelope.CarryPolicy{Unsampled: true}))
		require.NoError(t, err)
		got := read(string(frame))
		assert.Equal(t, map[string]any{"text": "hello"}, got["message"])
		assert.Equal(t, map[string]any{"traceId": someTrace, "spanId": someSpan, "sampled": flags&1 == 1}, got["span"])
	}
	for frame, message := range map[string]any{
		`{"text":"x"}`: map[string]any{"text": "x"}, `7`: int64(7), `"x"`: "x", `null`: nil,
		`{"waybill:envelope":{"version":1},"message":"x"}`:                                                                         "x",
		`{"waybill:envelope":{"version":1,"traceparent":7},"message":"x"}`:                                                         "x",
		`{"waybill:envelope":{"version":1,"traceparent":"00-` + strings.Repeat("0", 32) + `-` + someSpan + `-01"},"message":"x"}`:  "x",
		`{"waybill:envelope":{"version":1,"traceparent":"00-` + someTrace + `-` + strings.Repeat("0", 16) + `-01"},"message":"x"}`: "x",
		`{"waybill:envelope":{"version":1,"traceparent":"01-` + someTrace + `-` + someSpan + `-01"},"message":"x"}`:                "x",
	} {
		got := read(frame)
		assert.Equal(t, message, got["message"], frame)
		assert.Nil(t, got["span"], frame)
	}
	for _, frame := range []string{
		`{`, `{"waybill:envelope":{"version":2},"message":"x"}`, `{"waybill:envelope":null,"message":"x"}`,
		`{"waybill:envelope":{"version":1,"crit":["later"]},"message":"x"}`,
	} {
		require.NoError(t, f.js.Set("frame", frame))
		_, err := f.js.RunString(`unwrap(frame)`)
		require.Error(t, err, frame)
	}
}

func TestTheBinarySnippet(t *testing.T) {
	f := script(t, binarySnippet)
	f.run(`const message = new Uint8Array(Array.from('{"text":"hello"}', (c) => c.charCodeAt(0)));`)
	for _, sampled := range []bool{true, false} {
		frame := f.run(fmt.Sprintf(`Array.from(wrapBinary(message, { traceId: %q, spanId: %q, sampled: %v }))`,
			someTrace, someSpan, sampled))
		e, sc := decoded(t, octets(frame))
		assert.Equal(t, note{"hello"}, e.Message())
		want := trace.TraceFlags(2)
		if sampled {
			want = 3
		}
		assert.Equal(t, ids(someTrace, someSpan, want), sc)

		ctx := trace.ContextWithSpanContext(t.Context(), ids(someTrace, someSpan, want))
		bag, err := baggage.Parse("a=b")
		require.NoError(t, err)
		data, err := wire.Config[[]byte]{Codec: wire.BytesCodec[[]byte]()}.Append(nil, envelope.Wrap(
			baggage.ContextWithBaggage(ctx, bag), []byte("hello"), envelope.CarryPolicy{Unsampled: true}))
		require.NoError(t, err)
		require.NoError(t, f.js.Set("data", f.js.NewArrayBuffer(append([]byte("before"), data...))))
		f.run(`got = unwrapBinary(new Uint8Array(data, 6))`)
		assert.Equal(t, []byte("hello"), octets(f.run(`Array.from(got.message)`)))
		assert.Equal(t, map[string]any{"traceId": someTrace, "spanId": someSpan, "sampled": sampled}, f.run(`got.span`))
		for size := 4; size < len(data); size++ {
			_, err := f.js.RunString(fmt.Sprintf(`unwrapBinary(new Uint8Array(data, 6, %d))`, size))
			require.Error(t, err, size)
		}
	}
	assert.Equal(t, []byte("bare"), octets(f.run(`Array.from(unwrapBinary(new Uint8Array([98, 97, 114, 101])).message)`)))
	for _, later := range []string{"[0xf7, 0x57, 0x42, 0xf6, 2, 0, 0, 0, 0, 0, 0]", "[0xf7, 0x57, 0x42, 0xf6, 1, 0, 3, 0, 0, 0, 0, 128, 0, 0]"} {
		_, err := f.js.RunString(`unwrapBinary(new Uint8Array(` + later + `))`)
		require.ErrorContains(t, err, "later version")
	}
}

func octets(v any) []byte {
	all := v.([]any)
	bytes := make([]byte, len(all))
	for i := range all {
		bytes[i] = byte(all[i].(int64))
	}
	return bytes
}

// otelAPI stands in for @opentelemetry/api, with what its documentation says of the parts
// that the snippet uses, and a propagator of the W3C's headers. A context here is an object
// with the values of these headers.
const otelAPI = `
	const ROOT_CONTEXT = {};
	const context = { now: ROOT_CONTEXT, active() { return this.now; } };
	const propagation = {
		fields: ["traceparent", "tracestate", "baggage"],
		inject(ctx, carrier, setter) {
			for (const f of this.fields) if (ctx[f] !== undefined) setter.set(carrier, f, ctx[f]);
		},
		extract(ctx, carrier, getter) {
			const found = {};
			for (const f of this.fields) {
				const value = getter.get(carrier, f);
				if (typeof value === "string" && getter.keys(carrier).includes(f)) found[f] = value;
			}
			return Object.assign({}, ctx, found);
		},
	};`

func TestTheSnippetForOpenTelemetry(t *testing.T) {
	f := feed{t, goja.New()}
	f.run(otelAPI)
	imports := regexp.MustCompile(`(?m)^import \{ (.*) \} from "@opentelemetry/api";\n`)
	text := snippet(t, otelSnippet)
	require.Equal(t, "context, propagation, ROOT_CONTEXT", imports.FindStringSubmatch(text)[1])
	f.run(imports.ReplaceAllString(text, ""))
	assert.JSONEq(t, `{"waybill:envelope":{"version":1},"message":{"text":"x"}}`, f.run(`wrap({ text: "x" })`).(string))
	f.run(fmt.Sprintf(`context.now = { traceparent: "00-%s-%s-01", tracestate: "a=b", baggage: "c=d" }`, someTrace, someSpan))
	checkOtel(t, f.run(`wrap({ text: "hello" })`).(string))

	require.NoError(t, f.js.Set("frame", otelFrame(t)))
	f.run(`got = unwrap(frame)`)
	assert.Equal(t, map[string]any{"text": "hello"}, f.run(`got.message`))
	assert.Equal(t, map[string]any{
		"traceparent": "00-" + someTrace + "-" + someSpan + "-01", "tracestate": "a=b", "baggage": "c=d",
	}, f.run(`got.ctx`))
	assert.Equal(t, true, f.run(`got = unwrap("{\"text\":7}"); got.ctx === ROOT_CONTEXT && got.message.text === 7`))
	assert.Equal(t, map[string]any{}, f.run(`unwrap('{"waybill:envelope":{"version":1,"traceparent":7},"message":7}').ctx`))
	_, err := f.js.RunString(`unwrap('{"waybill:envelope":{"version":2},"message":7}')`)
	require.ErrorContains(t, err, "later version")
}

// checkOtel checks what the snippet for OpenTelemetry writes.
func checkOtel(t *testing.T, frame string) {
	t.Helper()
	e, sc := decoded(t, []byte(frame))
	assert.Equal(t, note{"hello"}, e.Message())
	assert.Equal(t, someTrace, sc.TraceID().String())
	assert.True(t, sc.IsSampled())
	assert.Equal(t, "a=b", sc.TraceState().String())
	ctx, _ := e.Unwrap(t.Context())
	assert.Equal(t, "c=d", baggage.FromContext(ctx).String())
}

// otelFrame is what a service writes, with all that travels.
func otelFrame(t *testing.T) string {
	t.Helper()
	state, err := trace.ParseTraceState("a=b")
	require.NoError(t, err)
	bag, err := baggage.Parse("c=d")
	require.NoError(t, err)
	ctx := trace.ContextWithSpanContext(t.Context(), ids(someTrace, someSpan, 1).WithTraceState(state))
	frame, err := wire.Config[note]{Form: wire.JSON}.Append(nil, envelope.Wrap(baggage.ContextWithBaggage(ctx, bag), note{"hello"}))
	require.NoError(t, err)
	return string(frame)
}

// With the real packages, which are not among what the tests need: see docs/frames.md.
func TestTheSnippetWithTheRealAPI(t *testing.T) {
	modules := os.Getenv("WAYBILL_NODE_MODULES")
	if modules == "" {
		t.Skip("needs OpenTelemetry's npm packages: WAYBILL_NODE_MODULES says where they are")
	}
	folder := t.TempDir()
	require.NoError(t, os.Symlink(modules, filepath.Join(folder, "node_modules")))
	main := readFile(t, otelSnippet) + `
		import { trace, propagation as api } from "@opentelemetry/api";
		import { CompositePropagator, W3CTraceContextPropagator, W3CBaggagePropagator, TraceState } from "@opentelemetry/core";
		api.setGlobalPropagator(new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }));
		const [traceId, spanId, frame] = process.argv.slice(2);
		let ctx = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, traceState: new TraceState("a=b") });
		ctx = api.setBaggage(ctx, api.createBaggage({ c: { value: "d" } }));
		const got = unwrap(frame), sc = trace.getSpanContext(got.ctx);
		console.log(JSON.stringify({
			wrapped: wrap({ text: "hello" }, ctx), message: got.message, traceId: sc.traceId, spanId: sc.spanId, flags: sc.traceFlags,
			state: sc.traceState.serialize(), baggage: api.getBaggage(got.ctx).getEntry("c").value,
		}));`
	require.NoError(t, os.WriteFile(filepath.Join(folder, "main.mjs"), []byte(main), 0o600))
	node := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "main.mjs"), someTrace, someSpan, otelFrame(t))
	out, err := node.CombinedOutput()
	require.NoError(t, err, string(out))
	var got map[string]any
	require.NoError(t, json.Unmarshal(out, &got), string(out))
	checkOtel(t, got["wrapped"].(string))
	delete(got, "wrapped")
	assert.Equal(t, map[string]any{
		"message": map[string]any{"text": "hello"}, "traceId": someTrace, "spanId": someSpan, "flags": 1.0,
		"state": "a=b", "baggage": "d",
	}, got)
}
