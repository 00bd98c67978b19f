// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

// post is a post to a guild, which broadcasts it to two sessions; the first is busy.
func post(more ...tracetest.SpanStub) []tracetest.SpanStub {
	fanout := with(keys.FanoutSize.Int(300), keys.FanoutSampled.Int(2))
	return append([]tracetest.SpanStub{
		span(1, 0, server, "POST /messages", 0, 10, in("api")),
		span(2, 1, client, "Publish", 1, 9, in("api")),
		span(3, 2, server, "Publish", 2, 8, in("guild")),
		span(4, 3, internal, "call guild Publish", 3, 7, in("guild"), of("guild", "1", "Publish")),
		span(5, 4, internal, "guild Publish", 4, 7, in("guild"), of("guild", "1", "Publish"), queued(1)),
		span(6, 5, producer, "broadcast sessions", 5, 6, in("guild"), fanout),
		span(7, 6, consumer, "session MessageCreate", 400, 418, in("session"), of("session", "14", "MessageCreate"), queued(395)),
		span(8, 6, consumer, "session MessageCreate", 6, 20, in("session"), of("session", "15", "MessageCreate"), queued(1)),
	}, more...)
}

func TestPath(t *testing.T) {
	for name, test := range map[string]struct {
		spans []tracetest.SpanStub
		want  []string
	}{
		"nothing":  {nil, []string{}},
		"one span": {[]tracetest.SpanStub{span(1, 0, server, "GET /", 0, 5)}, []string{"1 work 0-5"}},
		"a broadcast to a busy session": {post(), []string{
			"1 work 0-1", "2 network 1-2", "3 work 2-3", "5 wait 3-4", "5 work 4-5", "7 wait 5-400", "7 work 400-418",
		}},
		"what is longer but ends earlier is not on it": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, client, "long", 0, 60),
				span(3, 1, client, "last", 50, 90),
			},
			[]string{"1 work 0-50", "3 work 50-90", "1 work 90-100"},
		},
		"one after the other": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, client, "first", 0, 60),
				span(3, 1, client, "second", 70, 90),
			},
			[]string{"2 work 0-60", "1 work 60-70", "3 work 70-90", "1 work 90-100"},
		},
		"nobody waits for what was sent": {
			[]tracetest.SpanStub{
				span(1, 0, consumer, "guild Post", 0, 100, of("guild", "1", "Post")),
				span(2, 1, consumer, "session Message", 40, 90, of("session", "1", "Message"), queued(40)),
			},
			[]string{"1 work 0-100"},
		},
		"a handling goes on after the answer": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 50),
				span(2, 1, internal, "call guild Get", 10, 40, of("guild", "1", "Get")),
				span(3, 2, internal, "guild Get", 20, 45, of("guild", "1", "Get"), queued(10)),
			},
			[]string{"1 work 0-10", "3 wait 10-20", "3 work 20-40", "1 work 40-50"},
		},
		"a message from a stream": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10),
				span(2, 1, consumer, "receive", 100, 110, queued(20), network(75)),
			},
			[]string{"1 work 0-5", "2 wait 5-25", "2 network 25-100", "2 work 100-110"},
		},
		"a gap": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10),
				span(2, 1, consumer, "receive", 100, 110, queued(20)),
			},
			[]string{"1 work 0-10", "2 gap 10-80", "2 wait 80-100", "2 work 100-110"},
		},
		"a root whose message waited": {
			[]tracetest.SpanStub{span(1, 0, consumer, "session Message", 0, 10, queued(90))},
			[]string{"1 wait -90-0", "1 work 0-10"},
		},
		"never handled": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10),
				span(2, 1, consumer, "session Message", 5, 100, of("session", "1", "Message"), late("dead_letter_killed"), queued(95)),
			},
			[]string{"1 work 0-5", "2 wait 5-100"},
		},
		"the root is missing": {post()[6:], []string{"7 wait 5-400", "7 work 400-418"}},
		"a span in between is missing": {
			append(post()[:5:5], post()[6:]...),
			[]string{"1 work 0-5", "7 wait 5-400", "7 work 400-418"},
		},
		"a cycle": {
			[]tracetest.SpanStub{span(1, 2, server, "a", 0, 10), span(2, 1, internal, "b", 2, 8), span(3, 3, internal, "c", 1, 2)},
			[]string{"1 work 0-2", "2 work 2-8", "1 work 8-10"},
		},
		"the clock of a server is ahead": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100, in("a")),
				span(2, 1, client, "call", 10, 90, in("a")),
				span(3, 2, server, "call", 5020, 5080, in("b")),
				span(4, 3, client, "query", 5030, 5070, in("b")),
			},
			[]string{"1 work 0-10", "2 network 10-20", "3 work 20-30", "4 work 30-70", "3 work 70-80", "2 network 80-90", "1 work 90-100"},
		},
		"both ended at the same time, and nobody waited": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, consumer, "guild Get", 40, 100, of("guild", "1", "Get"), queued(40)),
			},
			[]string{"1 work 0-100"},
		},
		"a message that ended long after the answer did not bring it": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 200),
				span(2, 1, internal, "call guild Get", 0, 100, of("guild", "7", "Get")),
				span(3, 2, internal, "guild Get", 0, 5, of("guild", "7", "Get")),
				span(4, 3, consumer, "worker Get", 20, 110, of("worker", "3", "Get"), queued(15)),
			},
			[]string{"3 work 0-5", "2 work 5-100", "1 work 100-200"},
		},
		"a call was answered by what it sent itself": {
			[]tracetest.SpanStub{
				span(1, 0, internal, "call guild Get", 0, 100, of("guild", "7", "Get")),
				span(2, 1, internal, "guild Get", 0, 5, of("guild", "7", "Get")),
				span(3, 1, consumer, "worker Get", 40, 99, of("worker", "3", "Get"), queued(20)),
			},
			[]string{"2 work 0-5", "1 work 5-20", "3 wait 20-40", "3 work 40-99", "1 work 99-100"},
		},
		"for little time nobody looks who answered": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10_000),
				span(2, 1, internal, "call guild Get", 0, 100, of("guild", "7", "Get")),
				span(3, 2, internal, "guild Get", 0, 5, of("guild", "7", "Get")),
				span(4, 3, consumer, "worker Get", 20, 99, of("worker", "3", "Get"), queued(15)),
			},
			[]string{"3 work 0-5", "2 work 5-100", "1 work 100-10000"},
		},
		"a server that goes on after its client, on a clock that is behind": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a", attribute.String("host.name", "a"))),
				span(2, 1, server, "GET /", -10, 90, in("b", attribute.String("host.name", "b"))),
			},
			[]string{"2 work 0-100"},
		},
		"a server that goes on after its client": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a")), span(2, 1, server, "GET /", 10, 55, in("b")),
			},
			[]string{"1 network 0-10", "2 work 10-55"},
		},
		"a server on another machine does not go on after its client": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a", attribute.String("host.name", "a"))),
				span(2, 1, server, "GET /", 10, 55, in("b", attribute.String("host.name", "b"))),
			},
			[]string{"1 network 0-2.5", "2 work 2.5-47.5", "1 network 47.5-50"},
		},
		"services on one machine have one clock": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a", attribute.String("host.name", "a"))),
				span(2, 1, server, "GET /", 10, 55, in("b", attribute.String("host.name", "a"))),
			},
			[]string{"1 network 0-10", "2 work 10-55"},
		},
		"a server that begins when its client has gone": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a")), span(2, 1, server, "GET /", 60, 90, in("b")),
			},
			[]string{"1 network 0-10", "2 work 10-40", "1 network 40-50"},
		},
		"a server that begins when its client has failed": {
			[]tracetest.SpanStub{
				span(1, 0, client, "GET /", 0, 50, in("a"), failed), span(2, 1, server, "GET /", 60, 90, in("b")),
			},
			[]string{"1 network 0-50", "2 gap 50-60", "2 work 60-90"},
		},
		"the clock of a consumer is behind": {
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10, in("a", attribute.String("host.name", "a"))),
				span(2, 1, consumer, "receive", -500, -400, in("b", attribute.String("host.name", "b"))),
			},
			[]string{"2 work 0-100"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, steps(explain.Explain(snapshots(test.spans...), nil)))
		})
	}
}
