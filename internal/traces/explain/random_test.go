// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/plain"
)

// randomSpans returns up to 40 spans that may be anything: parents are missing or in cycles, IDs
// are there twice, times and waits make no sense.
func randomSpans(r *rand.Rand) []tracetest.SpanStub {
	var spans []tracetest.SpanStub
	n := r.IntN(40)
	for range n {
		from := float64(r.IntN(1000))
		s := span(1+r.IntN(n), r.IntN(n+2), trace.SpanKind(r.IntN(6)), []string{"a", "b", "call a"}[r.IntN(3)],
			from, from+float64(r.IntN(300)-10), in([]string{"x", "y", "z"}[r.IntN(3)]))
		for _, o := range []option{
			queued(float64(r.IntN(200) - 20)), network(float64(r.IntN(100))), of("a", "1", "M"), failed, linked("restart"),
			late([]string{"slow", "refused_full", "dead_letter_killed", "?"}[r.IntN(4)]),
			with(keys.FanoutSize.Int(r.IntN(100)), keys.FanoutSampled.Int(r.IntN(100))),
			in("w", attribute.String("host.name", []string{"1", "2"}[r.IntN(2)])),
		} {
			if r.IntN(3) == 0 {
				o(&s)
			}
		}
		spans = append(spans, s)
	}
	return spans
}

// requireCover checks that the steps are in order and cover the time exactly.
func requireCover(t require.TestingT, e explain.Explanation) {
	at := e.Start
	for _, s := range e.Path {
		require.True(t, s.From.Equal(at), "from %v, want %v", s.From, at)
		require.True(t, s.To.After(s.From), "from %v to %v", s.From, s.To)
		at = s.To
	}
	require.Equal(t, e.Duration, at.Sub(e.Start))
}

// requireInside checks that each step is where its span says: work within the span, and waits before it
// or in it.
func requireInside(t require.TestingT, e explain.Explanation, tree []explain.Node) {
	for _, s := range e.Path {
		require.True(t, slices.ContainsFunc(tree, func(n explain.Node) bool {
			if n.Span.SpanContext().SpanID() != s.Span {
				return false
			}
			within := func(from, to time.Time) bool { return !s.From.Before(from) && !s.To.After(to) }
			sent := n.Start.Add(-n.Queue - n.Network)
			switch s.What {
			case explain.Work:
				return within(n.Start, n.End)
			case explain.Wait:
				return within(sent, n.Start) || n.Unhandled && within(n.Start, n.End)
			case explain.Network:
				return within(sent, n.Start) || n.Span.SpanKind() == client && within(sent, n.End)
			default:
				return !s.To.After(n.Start)
			}
		}), "%d %v from %v to %v", number(s.Span), s.What, s.From, s.To)
	}
}

// requireSense checks what holds for any trace.
func requireSense(t require.TestingT, spans []sdktrace.ReadOnlySpan, shuffle func(n int, swap func(i, j int))) {
	e, tree := explain.Explain(spans, busyWith("M", 0.5)), explain.Tree(spans)
	requireCover(t, e)
	requireInside(t, e, tree)
	require.Len(t, tree, len(spans))
	for i, n := range tree {
		require.Less(t, n.Parent, i, "a span is above those below it")
		require.GreaterOrEqual(t, n.Parent, -1)
		if n.Parent >= 0 {
			require.Equal(t, tree[n.Parent].Depth+1, n.Depth)
		}
	}
	require.Equal(t, len(spans) == 0, e.Sentence == "")
	for _, percent := range percents.FindAllStringSubmatch(e.Sentence, -1) {
		n, err := strconv.Atoi(percent[1])
		require.NoError(t, err)
		require.True(t, n >= 0 && n <= 100, e.Sentence)
	}
	require.Equal(t, e.Sentence, plain.Name(e.Sentence, 1+len(e.Sentence)), "nothing in it controls a terminal")
	require.LessOrEqual(t, utf8.RuneCountInString(e.Sentence), 1000)
	shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	require.Equal(t, e, explain.Explain(spans, busyWith("M", 0.5)), "the order of the input makes no difference")
}

var percents = regexp.MustCompile(`(-?[0-9]+) %`)

func TestRandomTraces(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		requireSense(t, snapshots(randomSpans(r)...), r.Shuffle)
	}
}

// FuzzExplain makes a span of each 16 bytes, whose name and attributes have the text.
func FuzzExplain(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), "guild")
	f.Add(bytes.Repeat([]byte{1, 2, 0, 255}, 100), "call \x1b[2J")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		var spans []sdktrace.ReadOnlySpan
		for chunk := range slices.Chunk(data[:min(len(data), 16*200)/16*16], 16) {
			start := time.Unix(int64(int8(chunk[0])), int64(chunk[1]))
			if chunk[0] == 128 {
				start = time.Time{}
			}
			n := binary.BigEndian.Uint32(chunk[4:])
			stub := tracetest.SpanStub{
				Name: text, SpanContext: contextOf(int(chunk[2])), Parent: contextOf(int(chunk[3])), SpanKind: trace.SpanKind(chunk[8] % 8),
				StartTime: start, EndTime: start.Add(time.Duration(int32(n)) << (chunk[9] % 32)),
			}
			with(keys.QueueDuration.Float64(math.Float64frombits(binary.BigEndian.Uint64(chunk[8:]))), keys.NetworkDuration.Int(int(chunk[10])),
				keys.FanoutSize.Int64(int64(n)), keys.FanoutSampled.Int(int(chunk[11])), keys.FanoutProbability.Float64(float64(chunk[12])/200),
				keys.FanoutWeight.Float64(float64(chunk[13])-1))(&stub)
			if chunk[14]%2 > 0 {
				of(text, text, text)(&stub)
			}
			if chunk[14]%4 > 1 {
				late(text)(&stub)
			}
			in(text, attribute.Int("host.id", int(chunk[15]%3)))(&stub)
			spans = append(spans, stub.Snapshot())
		}
		requireSense(t, spans, func(int, func(i, j int)) { slices.Reverse(spans) })
	})
}

// Spans that differ in nothing but their IDs are in the order of these.
func TestTwins(t *testing.T) {
	spans := snapshots(span(1, 0, server, "GET /", 0, 9), span(2, 1, client, "twin", 2, 8), span(3, 1, client, "twin", 2, 8))
	e := explain.Explain(spans, nil)
	assert.Equal(t, []string{"1 work 0-2", "2 work 2-8", "1 work 8-9"}, steps(e))
	slices.Reverse(spans)
	assert.Equal(t, e, explain.Explain(spans, nil))

	spans = snapshots(
		span(1, 0, server, "GET /", 0, 9),
		span(2, 1, consumer, "a M", 20, 30, of("a", "1", "M"), queued(2)), span(2, 1, consumer, "a M", 20, 30, of("a", "1", "M"), queued(15)),
	)
	e = explain.Explain(spans, nil)
	slices.Reverse(spans)
	assert.Equal(t, e, explain.Explain(spans, nil), "also if the same span is there twice and says different things")
}

// A chain that is as deep as it can be is no deep recursion, and takes no long time.
func TestLargeTraces(t *testing.T) {
	const n = 30_000
	for name, parent := range map[string]func(i int) int{
		"a chain": func(i int) int { return i - 1 },
		"a fan":   func(int) int { return 1 },
		"a cycle": func(i int) int { return (i+n-2)%n + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			spans := make([]sdktrace.ReadOnlySpan, n)
			for i := range spans {
				p := parent(i + 1)
				if i == 0 && name == "a fan" {
					p = 0
				}
				spans[i] = span(i+1, p, internal, "s", float64(i), 2*n-float64(i)).Snapshot()
			}
			started := time.Now()
			e := explain.Explain(spans, nil)
			assert.Less(t, time.Since(started), time.Minute)
			requireCover(t, e)
			assert.Len(t, explain.Tree(spans), n)
		})
	}
}
