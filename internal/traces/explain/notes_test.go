// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

func weight(w float64) option { return with(keys.FanoutWeight.Float64(w)) }

// broadcast is one to size recipients, of which so many were sampled. That with the latest end
// waited for session 14.
func broadcast(size, sampled int, more ...option) []tracetest.SpanStub {
	waited := append([]option{in("session"), of("session", "14", "Create"), queued(90), weight(float64(size) / 2)}, more...)
	return []tracetest.SpanStub{
		span(1, 0, server, "POST /", 0, 10, in("api")),
		span(2, 1, producer, "broadcast sessions", 4, 6, in("api"), with(keys.FanoutSize.Int(size), keys.FanoutSampled.Int(sampled))),
		span(3, 2, consumer, "session Create", 95, 100, waited...),
		span(4, 2, consumer, "session Create", 6, 30, in("session"), of("session", "15", "Create"), queued(1), weight(float64(size)/2)),
	}
}

var broadcastPath = []string{"1 work 0-4", "2 work 4-5", "3 wait 5-95", "3 work 95-100"}

func TestNotes(t *testing.T) {
	const waited = "90 % of 100 ms: the message waited for session 14"
	check(t, []answer{
		{"all recipients were sampled", broadcast(2, 2), broadcastPath, waited + ".", nil},
		{
			"some were sampled", broadcast(300, 2), broadcastPath,
			waited + ` (only 2 of 300 recipients of "broadcast sessions" were sampled, so a slower one may be missing).`, nil,
		},
		{
			"some were sampled of several", append(broadcast(300, 2),
				span(5, 1, producer, "broadcast chat", 6, 7, in("api"), with(keys.FanoutSize.Int(200), keys.FanoutSampled.Int(20))),
				span(6, 1, producer, "broadcast all", 7, 8, in("api"), with(keys.FanoutSize.Int(2), keys.FanoutSampled.Int(2)))),
			broadcastPath,
			waited + ` (only 2 of 300 recipients of "broadcast sessions" were sampled, and not all of 1 other broadcast,` +
				` so a slower one may be missing).`, nil,
		},
		{
			"none was sampled", broadcast(300, 0)[:2], []string{"1 work 0-4", "2 work 4-6", "1 work 6-10"},
			`80 % of 10 ms: "POST /" in api itself (none of 300 recipients of "broadcast sessions" were sampled, so a slower one may be missing).`,
			nil,
		},
		{
			"an uncounted span", broadcast(300, 2, func(s *tracetest.SpanStub) {
				late("waited")(s)
				weight(0)(s)
			}), broadcastPath,
			waited + ` (only 2 of 300 recipients of "broadcast sessions" were sampled, so a slower one may be missing;` +
				` the span of session 14 is uncounted, so others may be like it).`, nil,
		},
		{
			"the span of the broadcast is missing",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10),
				span(3, 2, consumer, "session Create", 95, 100, of("session", "14", "Create"), queued(90),
					with(keys.FanoutSize.Int(300), keys.FanoutProbability.Float64(0.04))),
			},
			[]string{"1 work 0-5", "3 wait 5-95", "3 work 95-100"},
			waited + " (only about 4 % of 300 recipients were sampled, so a slower one may be missing; 1 span lacks its parent).", nil,
		},
		{
			"the trace of a recipient",
			[]tracetest.SpanStub{
				span(3, 0, consumer, "session Create", 95, 100, of("session", "14", "Create"), queued(95), linked("fanout"),
					with(keys.FanoutSize.Int(300), keys.FanoutProbability.Float64(0.04))),
			},
			[]string{"3 wait 0-95", "3 work 95-100"},
			"95 % of 100 ms: the message waited for session 14 (it is the trace of one recipient of a broadcast).", nil,
		},
		{
			"the next trace of a chain", []tracetest.SpanStub{span(1, 0, consumer, "guild M", 0, 10, of("guild", "7", "M"), linked("chain"))},
			[]string{"1 work 0-10"}, "100 % of 10 ms: guild 7 handled M (it goes on from another trace).", nil,
		},
		{
			"the root is missing", broadcast(2, 2)[2:], []string{"3 wait 5-95", "3 work 95-100"},
			"95 % of 95 ms: the message waited for session 14 (the root of the trace is missing).", nil,
		},
		{
			"two roots",
			[]tracetest.SpanStub{span(1, 0, server, "a", 0, 10), span(2, 0, server, "b", 5, 100)},
			[]string{"2 gap 0-5", "2 work 5-100"},
			`95 % of 100 ms: "b" (the trace has 2 roots).`, nil,
		},
		{
			"a cycle", []tracetest.SpanStub{span(1, 2, server, "a", 0, 10), span(2, 1, internal, "b", 1, 9)},
			[]string{"1 work 0-1", "2 work 1-9", "1 work 9-10"},
			`80 % of 10 ms: "b" (the root of the trace is missing).`, nil,
		},
		{
			"clocks that differ",
			[]tracetest.SpanStub{
				span(1, 0, client, "Publish", 0, 100, in("api")), span(2, 1, server, "Publish", -5000, -4910, in("guild")),
			},
			[]string{"1 network 0-5", "2 work 5-95", "1 network 95-100"},
			`90 % of 100 ms: "Publish" in guild (clocks differ by 5 s, which was corrected).`, nil,
		},
		{
			"clocks that differ the other way",
			[]tracetest.SpanStub{
				span(1, 0, client, "Publish", 0, 100, in("api")), span(2, 1, server, "Publish", 5010, 5100, in("guild")),
			},
			[]string{"1 network 0-5", "2 work 5-95", "1 network 95-100"},
			`90 % of 100 ms: "Publish" in guild (clocks differ by 5 s, which was corrected).`, nil,
		},
		{
			"clocks of which little depends",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10), span(2, 1, consumer, "receive", 6, 100, network(1), with(keys.ClocksCrossed.Bool(true))),
			},
			[]string{"1 work 0-5", "2 network 5-6", "2 work 6-100"},
			`94 % of 100 ms: "receive".`, nil,
		},
		{
			"what failed",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 100, failed), span(2, 1, internal, "guild Publish", 1, 99, of("guild", "7", "Publish"), failed),
			},
			[]string{"1 work 0-1", "2 work 1-99", "1 work 99-100"},
			"98 % of 100 ms: guild 7 handled Publish and failed.", nil,
		},
		{
			"what failed and took little time",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 100, failed),
				span(2, 1, client, "SELECT", 1, 90), span(3, 1, client, "INSERT", 90, 99, failed),
			},
			[]string{"1 work 0-1", "2 work 1-90", "3 work 90-99", "1 work 99-100"},
			`89 % of 100 ms: "SELECT" ("INSERT" and 1 span above it failed).`, nil,
		},
		{
			"what failed at the end",
			[]tracetest.SpanStub{span(1, 0, server, "POST /", 0, 100), span(3, 1, client, "INSERT", 95, 99, failed)},
			[]string{"1 work 0-95", "3 work 95-99", "1 work 99-100"},
			`96 % of 100 ms: "POST /" itself ("INSERT" failed).`, nil,
		},
	})
}

func TestWhatWasLeftOut(t *testing.T) {
	spans := snapshots(span(1, 0, server, "GET /", 0, 5))
	assert.Equal(t, `100 % of 5 ms: "GET /" (1 span of the trace was left out).`, explain.Part(spans, 1, nil).Sentence)
	assert.Equal(t, `100 % of 5 ms: "GET /" (20 spans of the trace were left out).`, explain.Part(spans, 20, nil).Sentence)
}

// What strangers call things is no part of the sentence.
func TestNamesOfStrangers(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	for _, test := range []struct{ kind, id, message, want string }{
		{"guild", "7\x1b[2J\n; all is well", "M", `100 % of 10 ms: guild "7�[2J�; all is well" handled M.`},
		{"guild", "7", "Page[int]", "100 % of 10 ms: guild 7 handled Page[int]."},
		{"guild", "user@example.org:1/2#3", "M", "100 % of 10 ms: guild user@example.org:1/2#3 handled M."},
		{"guild", `" or "`, "\u202eevil", "100 % of 10 ms: guild \"' or '\" handled �evil."},
		{"guild", "", "", `100 % of 10 ms: guild handled "".`},
		{long, long, long, ""},
	} {
		s := explain.Explain(snapshots(span(1, 0, consumer, long, 0, 10, of(test.kind, test.id, test.message))), nil).Sentence
		if test.want != "" {
			assert.Equal(t, test.want, s)
		}
		assert.LessOrEqual(t, utf8.RuneCountInString(s), 250)
	}
}

// Attributes of other types, or with values that make no sense, are as good as none.
func TestNonsenseInAttributes(t *testing.T) {
	for _, kv := range []attribute.KeyValue{
		keys.QueueDuration.Float64(-1), keys.QueueDuration.Float64(1e300), keys.QueueDuration.Float64(1e10), keys.QueueDuration.String("90"),
		keys.NetworkDuration.Bool(true), keys.ProcessKind.Int(7), keys.FanoutSize.Float64(-1e300),
	} {
		e := explain.Explain(snapshots(span(1, 0, server, "GET /", 0, 10, with(kv))), nil)
		assert.Equal(t, []string{"1 work 0-10"}, steps(e), "%v", kv)
		assert.Equal(t, `100 % of 10 ms: "GET /".`, e.Sentence, "%v", kv)
	}
	e := explain.Explain(snapshots(span(1, 0, consumer, "receive", 0, 1000, with(keys.QueueDuration.Int(1)))), nil)
	assert.Equal(t, []string{"1 wait -1000-0", "1 work 0-1000"}, steps(e), "a whole number of seconds is a number")
}
