// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

func TestWork(t *testing.T) {
	guild := []tracetest.SpanStub{
		span(1, 0, server, "POST /messages", 0, 100, in("api")),
		span(2, 1, internal, "call guild Publish", 1, 99, in("api"), of("guild", "7", "Publish")),
		span(3, 2, internal, "guild Publish", 2, 98, in("guild"), of("guild", "7", "Publish"), queued(1)),
	}
	path := []string{"1 work 0-1", "3 wait 1-2", "3 work 2-98", "2 work 98-99", "1 work 99-100"}
	check(t, []answer{
		{"nothing", nil, []string{}, "", nil},
		{"no time", []tracetest.SpanStub{span(1, 0, server, "GET /", 5, 5)}, []string{}, "The trace took no time that its spans show.", nil},
		{"one span", []tracetest.SpanStub{span(1, 0, server, "GET /", 0, 5)}, []string{"1 work 0-5"}, `100 % of 5 ms: "GET /".`, nil},
		{"one span of a service", guild[:1], []string{"1 work 0-100"}, `100 % of 100 ms: "POST /messages" in api.`, nil},
		{"a slow handler", guild, path, "96 % of 100 ms: guild 7 handled Publish.", nil},
		{
			"a slow handler with timings", guild, path,
			"96 % of 100 ms: guild 7 handled Publish, and spent 71 % of that minute in Create.", busyWith("Create", 0.71),
		},
		{
			"a handler that began in the minute before", []tracetest.SpanStub{span(1, 0, consumer, "guild M", 0, 1000, of("guild", "7", "M"))},
			[]string{"1 work 0-1000"}, "100 % of 1 s: guild 7 handled M, and spent 50 % of that minute in M.",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "M", Share: 0.5, Busy: time.Millisecond}, true
			},
		},
		{
			"a slow query of a handler", append(guild[:3:3], span(4, 3, client, "SELECT", 10, 90, in("guild"))),
			[]string{"1 work 0-1", "3 wait 1-2", "3 work 2-10", "4 work 10-90", "3 work 90-98", "2 work 98-99", "1 work 99-100"},
			`80 % of 100 ms: "SELECT", while guild 7 handled Publish.`, nil,
		},
		{
			"many queries",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 40),
				span(2, 1, client, "SELECT", 1, 11), span(3, 1, client, "SELECT", 12, 22), span(4, 1, client, "SELECT", 23, 39),
			},
			[]string{"1 work 0-1", "2 work 1-11", "1 work 11-12", "3 work 12-22", "1 work 22-23", "4 work 23-39", "1 work 39-40"},
			`90 % of 40 ms: 3 × "SELECT".`, nil,
		},
		{
			"many messages to one process",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, internal, "call guild Get", 0, 49, of("guild", "7", "Get")),
				span(3, 2, internal, "guild Get", 0, 49, of("guild", "7", "Get")),
				span(4, 1, internal, "call guild Get", 50, 99, of("guild", "7", "Get")),
				span(5, 4, internal, "guild Get", 50, 99, of("guild", "7", "Get")),
			},
			[]string{"3 work 0-49", "1 work 49-50", "5 work 50-99", "1 work 99-100"},
			"98 % of 100 ms: guild 7 handled 2 messages.", nil,
		},
		{
			"a span itself, beside what is below it",
			[]tracetest.SpanStub{span(1, 0, server, "GET /", 0, 100), span(2, 1, client, "SELECT", 10, 20)},
			[]string{"1 work 0-10", "2 work 10-20", "1 work 20-100"},
			`90 % of 100 ms: "GET /" itself.`, nil,
		},
		{
			"a call without its handling", guild[:2], []string{"1 work 0-1", "2 work 1-99", "1 work 99-100"},
			"98 % of 100 ms: the call of guild 7, of which the trace does not show the handling.", nil,
		},
		{
			"what a call does itself",
			append(guild[:2:2], span(4, 2, client, "dial", 2, 98, in("api"))),
			[]string{"1 work 0-1", "2 work 1-2", "4 work 2-98", "2 work 98-99", "1 work 99-100"},
			`96 % of 100 ms: "dial" in api.`, nil,
		},
		{
			"a call that somebody else answered",
			[]tracetest.SpanStub{
				span(1, 0, internal, "call guild Get", 0, 100, of("guild", "7", "Get")),
				span(2, 1, internal, "guild Get", 1, 5, of("guild", "7", "Get"), queued(1)),
				span(3, 2, consumer, "worker Get", 20, 99, of("worker", "3", "Get"), queued(17)),
				span(4, 2, consumer, "log Get", 4, 30, of("log", "1", "Get")),
			},
			[]string{"2 wait 0-1", "2 work 1-5", "3 wait 5-20", "3 work 20-99", "1 work 99-100"},
			"79 % of 100 ms: worker 3 handled Get.", nil,
		},
		{
			"an answer that a message may have brought",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, consumer, "guild Get", 90, 98, of("guild", "7", "Get"), queued(88)),
			},
			[]string{"1 work 0-100"},
			`100 % of 100 ms: "GET /" itself, unless it waited for guild 7 meanwhile.`, nil,
		},
		{
			"a message that can have brought no answer",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100),
				span(2, 1, consumer, "guild Get", 40, 50, of("guild", "7", "Get"), queued(38)),
			},
			[]string{"1 work 0-100"},
			`100 % of 100 ms: "GET /" itself.`, nil,
		},
		{
			"a message that ended when the span did something else",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100), span(2, 1, client, "SELECT", 70, 100),
				span(3, 1, consumer, "guild Get", 10, 80, of("guild", "7", "Get"), queued(9)),
			},
			[]string{"1 work 0-70", "2 work 70-100"},
			`70 % of 100 ms: "GET /" itself; another 30 %: "SELECT".`, nil,
		},
		{
			"nothing has half",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 100, in("api")),
				span(2, 1, client, "SELECT", 10, 50, in("api")),
				span(3, 1, client, "INSERT", 50, 85, in("api")),
			},
			[]string{"1 work 0-10", "2 work 10-50", "3 work 50-85", "1 work 85-100"},
			`No single cause for 100 ms: 40 %, "SELECT" in api; 35 %, "INSERT" in api.`, nil,
		},
		{
			"the second has much too",
			[]tracetest.SpanStub{span(1, 0, server, "GET /", 0, 100), span(2, 1, client, "SELECT", 10, 70)},
			[]string{"1 work 0-10", "2 work 10-70", "1 work 70-100"},
			`60 % of 100 ms: "SELECT"; another 40 %: "GET /" itself.`, nil,
		},
	})
}
