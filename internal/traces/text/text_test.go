// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/plain"
	"github.com/waybill-go/waybill/internal/traces/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

var traceID = trace.TraceID{1, 2, 3}

// stub returns span n of a service below span parent, from and to in milliseconds.
func stub(n, parent int, service string, kind trace.SpanKind, name string, from, to float64, attrs ...attribute.KeyValue) tracetest.SpanStub {
	at := func(ms float64) time.Time {
		return time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC).Add(time.Duration(ms * float64(time.Millisecond)))
	}
	return tracetest.SpanStub{
		Name: name, SpanContext: contextOf(n), Parent: contextOf(parent), SpanKind: kind, StartTime: at(from), EndTime: at(to),
		Attributes: attrs, Resource: resource.NewSchemaless(attribute.String("service.name", service)),
	}
}

func contextOf(n int) trace.SpanContext {
	if n == 0 {
		return trace.SpanContext{}
	}
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: id})
}

func message(kind, id, message string, queued float64) []attribute.KeyValue {
	return []attribute.KeyValue{
		keys.ProcessKind.String(kind), keys.ProcessID.String(id), keys.MessageType.String(message),
		keys.QueueDuration.Float64(queued / 1000),
	}
}

func sampled(weight float64, attrs []attribute.KeyValue) []attribute.KeyValue {
	return append(attrs, keys.FanoutWeight.Float64(weight))
}

func late(reason string, attrs []attribute.KeyValue) []attribute.KeyValue {
	return append(attrs, keys.LateReason.String(reason))
}

func failed(s tracetest.SpanStub) tracetest.SpanStub {
	s.Status = sdktrace.Status{Code: codes.Error}
	return s
}

const (
	internal = trace.SpanKindInternal
	server   = trace.SpanKindServer
	client   = trace.SpanKindClient
	producer = trace.SpanKindProducer
	consumer = trace.SpanKindConsumer
)

// post is a post to a guild, which broadcasts it to 300 sessions, of which n are sampled.
func post(n int) []tracetest.SpanStub {
	spans := []tracetest.SpanStub{
		stub(1, 0, "api", server, "POST /guilds/{guild}/messages", 0, 10),
		stub(2, 1, "api", client, "INSERT posts", 1, 3),
		stub(3, 1, "api", client, "Guilds/Publish", 3, 9),
		stub(4, 3, "guild", server, "Guilds/Publish", 4, 8),
		stub(5, 4, "guild", internal, "call guild Publish", 4, 8, message("guild", "1", "Publish", 0)[:3]...),
		stub(6, 5, "guild", internal, "guild Publish", 5, 8, message("guild", "1", "Publish", 1)...),
		stub(7, 6, "guild", producer, "broadcast sessions", 6, 7, keys.FanoutSize.Int(300), keys.FanoutSampled.Int(n)),
	}
	for i := range n {
		start, took := float64(8+2*i), float64(1+i%4)
		attrs := sampled(300/float64(n), message("session", string(rune('a'+i)), "MessageCreate", start-6))
		spans = append(spans, stub(20+i, 7, "session", consumer, "session MessageCreate", start, start+took, attrs...))
	}
	return spans
}

func guild14(kind, id string, _ time.Time) (explain.Busiest, bool) {
	return explain.Busiest{Message: "MessageCreate", Share: 0.71}, kind == "session" && id == "14"
}

func TestGolden(t *testing.T) {
	busy := append(post(6),
		stub(40, 7, "session", consumer, "session MessageCreate", 400, 418, late("waited", sampled(0, message("session", "14", "MessageCreate", 393)))...),
		failed(stub(41, 7, "session", consumer, "session MessageCreate", 20, 21, sampled(50, message("session", "15", "MessageCreate", 13))...)),
		failed(stub(42, 7, "session", consumer, "session MessageCreate", 6, 60, late("dead_letter_killed", sampled(50, message("session", "16", "MessageCreate", 54)))...)),
		stub(43, 40, "session", internal, "websocket write", 410, 417),
	)
	stream := []tracetest.SpanStub{
		stub(1, 0, "a", server, "POST /", 0, 10),
		stub(2, 1, "b", consumer, "receive tasks", 100, 130, keys.QueueDuration.Float64(0.02), keys.NetworkDuration.Float64(0.06)),
	}
	nodes := append(post(0), stub(20, 7, "session node-2", consumer, "session MessageCreate", 12, 20,
		sampled(60, append(message("session", "2-14", "MessageCreate", 3), keys.NetworkDuration.Float64(0.001)))...))
	hostile := []tracetest.SpanStub{
		stub(1, 0, "\x1b]0;owned\x07", server, "GET /\x1b[2J\r\n\u202enot a line", 0, 10),
		stub(2, 1, "日本", internal, strings.Repeat("名前", 200), 1, 9),
		stub(3, 9, "x", consumer, "orphan", 2, 8, late("\x1b[31m"+strings.Repeat("late", 100), nil)...),
	}
	for name, test := range map[string]struct {
		spans   []tracetest.SpanStub
		options text.Options
	}{
		"post":    {post(3), text.Options{}},
		"busy":    {busy, text.Options{Did: guild14}},
		"narrow":  {busy, text.Options{Width: 80}},
		"wide":    {busy, text.Options{Width: 160}},
		"colour":  {busy, text.Options{Width: 100, Colour: true}},
		"crowded": {nodes, text.Options{Width: 80}},
		"stream":  {stream, text.Options{}},
		"hostile": {hostile, text.Options{Width: 100, LeftOut: 3}},
		"rows":    {busy, text.Options{Rows: 4}},
		"no time": {[]tracetest.SpanStub{stub(1, 0, "api", server, "GET /", 5, 5)}, text.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			out := write(t, test.spans, test.options)
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".txt")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, []byte(out), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), out)
		})
	}
}

func write(t require.TestingT, spans []tracetest.SpanStub, o text.Options) string {
	var out strings.Builder
	require.NoError(t, text.Write(&out, traceID, tracetest.SpanStubs(spans).Snapshots(), o))
	return out.String()
}

func TestNothingOfNothing(t *testing.T) {
	assert.Empty(t, write(t, nil, text.Options{}))
}

// No line is wider than it may be, and nothing but our own colours controls the terminal, whatever
// the spans say.
func FuzzWrite(f *testing.F) {
	f.Add("GET /", "api", "slow", 3, 100, 0.5)
	f.Add("0", "0", "0", 83, 0, 0.0714)
	f.Add("\x1b[2J", "\x9b31m", "\r\n", 60, 90, -1.0)
	f.Add(strings.Repeat("語", 99), strings.Repeat("service", 9), strings.Repeat("x", 99), 300, 80, 1e300)
	f.Fuzz(func(t *testing.T, name, service, reason string, n, width int, number float64) {
		n, width = min(max(n, 0), 300), min(width, 1000)
		var spans []tracetest.SpanStub
		for i := range n {
			attrs := sampled(number, late(reason, message(service, name, reason, number)))
			attrs = append(attrs, keys.NetworkDuration.Float64(number))
			spans = append(spans, stub(i+1, i/2, service, consumer, name, float64(i), float64(i)*2, attrs...))
		}
		for _, colour := range []bool{false, true} {
			out := write(t, spans, text.Options{Width: width, Colour: colour})
			for _, code := range []string{"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"} {
				if colour {
					out = strings.ReplaceAll(out, code, "")
				}
			}
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				assert.LessOrEqual(t, plain.Columns(line), max(cmp.Or(width, 120), 80), "%q", line)
				assert.Equal(t, line, plain.Name(line, 1+len(line)), "nothing in it controls a terminal")
			}
		}
	})
}

// Where a terminal is too narrow for all figures, names are still names, and what is missing is said.
func TestNamesHaveRoom(t *testing.T) {
	spans := append(post(0), stub(20, 7, "session node-2", consumer, "session MessageCreate", 12, 20,
		sampled(60, append(message("session", "2-14", "MessageCreate", 3), keys.NetworkDuration.Float64(0.001)))...))
	out := write(t, spans, text.Options{Width: 80})
	assert.Contains(t, out, "session Messag")
	assert.Contains(t, out, "no room for: network, weight\n")
	assert.NotContains(t, out, "× 60")
	assert.NotContains(t, out, "× 30", "the legend explains no sign that is not there")
	assert.NotContains(t, write(t, spans, text.Options{}), "no room for")
}

// Many spans that are alike take few lines, and a deep chain does not move out of sight.
func TestManySpans(t *testing.T) {
	spans := post(0)
	for i := range 10_000 {
		spans = append(spans, stub(100+i, 7, "session", consumer, "session MessageCreate", 8, 9))
	}
	out := write(t, spans, text.Options{})
	assert.Less(t, strings.Count(out, "\n"), 20)
	assert.Contains(t, out, "… 9997 more like these")

	spans = spans[:1]
	for i := range 10_000 {
		spans = append(spans, stub(2+i, 1+i, "api", internal, "deeper", 1, 9))
	}
	out = write(t, spans, text.Options{})
	assert.Equal(t, 200-13, strings.Count(out, "⋮ deeper"))
	assert.Contains(t, out, "… 9801 spans more")
}

// Of many calls, the one is shown whose handling is on the critical path. What is not shown is counted.
func TestFolding(t *testing.T) {
	spans := []tracetest.SpanStub{stub(1, 0, "api", server, "GET /", 0, 101)}
	for i := range 20 {
		from := float64(1 + i)
		call, handling := stub(10+2*i, 1, "api", internal, "call guild Get", from, from+70), message("guild", "1", "Get", 0)
		call.Attributes = handling[:3]
		if i == 7 {
			call.EndTime = call.EndTime.Add(20 * time.Millisecond)
		}
		if i%5 == 4 {
			call = failed(call)
		}
		inside := stub(11+2*i, 10+2*i, "guild", internal, "guild Get", from, from+70, handling...)
		inside.EndTime = call.EndTime
		spans = append(spans, call, inside)
	}
	out := write(t, spans, text.Options{})
	assert.Equal(t, 3, strings.Count(out, "guild Get ")-strings.Count(out, "call guild Get "), out)
	assert.Regexp(t, `guild Get +··█+· +89 % +90 ms`, out)
	assert.Contains(t, out, "… 17 more like these, with 17 spans below them, 2 failed")
}

// The instances of a service are told apart, and are one service all the same.
func TestInstances(t *testing.T) {
	spans := []tracetest.SpanStub{stub(1, 0, "guild", server, "post", 0, 100)}
	for i := range 3 {
		s := stub(2+i, 1, "session", consumer, "session MessageCreate", 10, 20)
		s.Resource = resource.NewSchemaless(attribute.String("service.name", "session"),
			attribute.String("service.instance.id", fmt.Sprintf("node-%d", i)))
		spans = append(spans, s)
	}
	out := write(t, spans, text.Options{})
	assert.Contains(t, out, "of 2 services in")
	for i := range 3 {
		assert.Contains(t, out, fmt.Sprintf("session node-%d", i))
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	err := text.Write(full{}, traceID, tracetest.SpanStubs(post(3)).Snapshots(), text.Options{})
	assert.ErrorIs(t, err, errFull)
}
