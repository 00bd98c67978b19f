// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

// answer is what is known of a trace.
type answer struct {
	name  string
	spans []tracetest.SpanStub
	path  []string
	want  string
	did   explain.Activity
}

func check(t *testing.T, answers []answer) {
	t.Helper()
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			e := explain.Explain(snapshots(a.spans...), a.did)
			requireCover(t, e)
			assert.Equal(t, a.path, steps(e))
			assert.Equal(t, a.want, e.Sentence)
		})
	}
}

// busyWith says that all processes did the same.
func busyWith(message string, share float64) explain.Activity {
	return func(string, string, time.Time) (explain.Busiest, bool) {
		return explain.Busiest{Message: message, Share: share}, true
	}
}

// recipients is a broadcast to session 1, whose message waited 90 ms, and to one more for each of waits.
func recipients(waits ...float64) []tracetest.SpanStub {
	session := func(n int, wait float64, o ...option) tracetest.SpanStub {
		return span(n, 1, consumer, "session M", 5+wait, 6+wait, append(o, of("session", strconv.Itoa(n), "M"), queued(wait))...)
	}
	all := len(waits) + 2
	spans := []tracetest.SpanStub{
		span(1, 0, producer, "broadcast", 0, 10, with(keys.FanoutSize.Int(all), keys.FanoutSampled.Int(all))),
		session(2, 94), session(3, 94, weight(0), late("waited")), // That is not counted.
	}
	spans[2].EndTime = after(99.5)
	for i, wait := range waits {
		spans = append(spans, session(4+i, wait))
	}
	return spans
}

func TestWaitBesideOthers(t *testing.T) {
	path := []string{"1 work 0-5", "2 wait 5-99", "2 work 99-100"}
	check(t, []answer{
		{"all waited", recipients(60, 70, 80, 90), path, `94 % of 100 ms: the message waited for session 2, and most others of "broadcast" waited nearly as long.`, nil},
		{
			"the others hardly waited", recipients(1, 2, 3, 90), path,
			`94 % of 100 ms: the message waited for session 2, which spent 50 % of that minute in M, while half of the others of "broadcast" waited 3 ms at most.`,
			busyWith("M", 0.5),
		},
		{
			"refused ones did not wait",
			append(recipients(60, 70, 80, 90), slices.Repeat([]tracetest.SpanStub{
				span(20, 1, consumer, "session M", 5, 5, of("session", "20", "M"), late("refused_full")),
			}, 5)...),
			path, `94 % of 100 ms: the message waited for session 2, and most others of "broadcast" waited nearly as long.`, nil,
		},
		{
			"not all waits are of the broadcast",
			append(recipients(60, 70, 80, 90), span(20, 2, consumer, "session M", 109, 110, of("session", "2", "M"), queued(10))),
			[]string{"1 work 0-5", "2 wait 5-99", "20 wait 99-109", "20 work 109-110"},
			"95 % of 110 ms: 2 messages waited for session 2.", nil,
		},
		{"some waited", recipients(1, 2, 40, 90), path, "94 % of 100 ms: the message waited for session 2.", nil},
		{"there are few others", recipients(1, 2, 3), path, "94 % of 100 ms: the message waited for session 2.", nil},
	})
}

func TestWait(t *testing.T) {
	// Guild 7 is busy with a message of another trace, or of this one.
	waiting := []tracetest.SpanStub{
		span(1, 0, server, "POST /messages", 0, 10, in("api")),
		span(2, 1, consumer, "guild Publish", 400, 418, in("guild"), of("guild", "7", "Publish"), queued(395)),
	}
	path := []string{"1 work 0-5", "2 wait 5-400", "2 work 400-418"}
	called := []tracetest.SpanStub{
		span(1, 0, server, "POST /messages", 0, 100),
		span(2, 1, internal, "call guild Publish", 5, 98, of("guild", "7", "Publish")),
		span(3, 2, internal, "guild Publish", 95, 98, of("guild", "7", "Publish"), queued(90)),
	}
	callPath := []string{"1 work 0-5", "3 wait 5-95", "3 work 95-98", "1 work 98-100"}
	unhandled := func(reason string) []tracetest.SpanStub {
		return []tracetest.SpanStub{
			span(1, 0, server, "POST /messages", 0, 10, in("api")),
			span(2, 1, consumer, "guild Publish", 5, 100, of("guild", "7", "Publish"), late(reason), queued(95), failed),
		}
	}
	lost := []string{"1 work 0-5", "2 wait 5-100"}
	check(t, []answer{
		{"a full mailbox", waiting, path, "94 % of 418 ms: the message waited for guild 7.", nil},
		{
			"a full mailbox of a process that does other things", waiting, path,
			"94 % of 418 ms: the message waited for guild 7, which spent 71 % of that minute in Create.", busyWith("Create", 0.71),
		},
		{
			"a full mailbox of a process that had little else to do", waiting, path,
			"94 % of 418 ms: the message waited for guild 7, which spent 600 ms of that minute in Create.",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "Create", Share: 0.01, Took: 600 * time.Millisecond, Busy: 700 * time.Millisecond}, true
			},
		},
		{"a call", called, callPath, "90 % of 100 ms: the message waited for guild 7.", nil},
		{
			"so soon that the timings may not be recorded yet", called, callPath,
			"90 % of 100 ms: the message waited for guild 7, which spent 1 ms of that minute in M.",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "M", Share: 0.001, Took: time.Millisecond, Busy: time.Millisecond}, true
			},
		},
		{
			"a call while the guild did something else of this trace",
			append(called[:3:3], span(4, 1, consumer, "guild Import", 4, 94, of("guild", "7", "Import"))), callPath,
			"90 % of 100 ms: the message waited for guild 7, which handled Import and spent 80 % of that minute in Import.",
			busyWith("Import", 0.8),
		},
		{
			"a call while another guild did something",
			append(called[:3:3], span(4, 1, consumer, "guild Import", 4, 94, of("guild", "8", "Import"))), callPath,
			"90 % of 100 ms: the message waited for guild 7.", nil,
		},
		{
			"a channel", []tracetest.SpanStub{span(1, 0, server, "GET /", 0, 10), span(2, 1, consumer, "read frames", 90, 100, queued(85))},
			[]string{"1 work 0-5", "2 wait 5-90", "2 work 90-100"},
			`85 % of 100 ms: the message waited in a queue for "read frames".`, nil,
		},
		{
			"a restart",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10), span(2, 1, consumer, "guild Publish", 4, 5, of("guild", "7", "Publish"), failed),
				span(3, 1, consumer, "guild Publish", 90, 100, of("guild", "7", "Publish"), queued(85), linked("restart")),
			},
			[]string{"1 work 0-5", "3 wait 5-90", "3 work 90-100"},
			"85 % of 100 ms: the message waited for guild 7, which restarted after a failure.", nil,
		},
		{
			"behind the first message after a restart",
			[]tracetest.SpanStub{
				span(1, 0, server, "GET /", 0, 10),
				span(2, 1, consumer, "guild Publish", 80, 90, of("guild", "7", "Publish"), linked("restart"), queued(75)),
				span(3, 1, consumer, "guild Publish", 90, 100, of("guild", "7", "Publish"), queued(85)),
			},
			[]string{"1 work 0-5", "3 wait 5-90", "3 work 90-100"},
			"85 % of 100 ms: the message waited for guild 7, which restarted after a failure.", nil,
		},
		{
			"restarts before and after",
			[]tracetest.SpanStub{
				span(1, 0, consumer, "guild A", 0, 10, of("guild", "7", "A"), linked("restart")),
				span(2, 1, consumer, "guild B", 90, 100, of("guild", "7", "B"), queued(85)),
				span(3, 2, consumer, "guild C", 100, 105, of("guild", "7", "C"), queued(1), linked("restart")),
			},
			[]string{"1 work 0-5", "2 wait 5-90", "2 work 90-99", "3 wait 99-100", "3 work 100-105"},
			"82 % of 105 ms: 2 messages waited for guild 7.", nil,
		},
		{
			"a message that was handled, and one that was not",
			[]tracetest.SpanStub{
				span(1, 0, consumer, "guild A", 0, 10, of("guild", "7", "A"), queued(40)),
				span(2, 1, consumer, "guild B", 10, 60, of("guild", "7", "B"), late("dead_letter_killed"), queued(50)),
			},
			[]string{"1 wait -40-0", "1 work 0-10", "2 wait 10-60"},
			"50 % of 100 ms: the message waited for guild 7, which was killed before it handled it; another 40 %: the message waited for guild 7.", nil,
		},
		{
			"two messages, one after the other",
			[]tracetest.SpanStub{
				span(1, 0, consumer, "guild A", 0, 10, of("guild", "7", "A"), queued(40)),
				span(2, 1, consumer, "guild B", 50, 60, of("guild", "7", "B"), queued(40)),
			},
			[]string{"1 wait -40-0", "1 work 0-10", "2 wait 10-50", "2 work 50-60"},
			"80 % of 100 ms: 2 messages waited for guild 7.", nil,
		},
		{
			"the longest of several waits says why",
			[]tracetest.SpanStub{
				span(1, 0, consumer, "guild A", 0, 5, of("guild", "7", "A"), queued(5)),
				span(2, 1, consumer, "guild B", 80, 85, of("guild", "7", "B"), queued(75), linked("restart")),
				span(3, 2, consumer, "guild C", 90, 95, of("guild", "7", "C"), queued(5)),
			},
			[]string{"1 wait -5-0", "1 work 0-5", "2 wait 5-80", "2 work 80-85", "3 wait 85-90", "3 work 90-95"},
			"85 % of 100 ms: 3 messages waited for guild 7, which restarted after a failure.", nil,
		},
		{
			"a broadcast that is on its way for long",
			[]tracetest.SpanStub{
				span(1, 0, producer, "broadcast sessions", 0, 90, with(keys.FanoutSize.Int(5000), keys.FanoutSampled.Int(5000))),
				span(2, 1, consumer, "session Message", 95, 100, of("session", "1", "Message"), queued(95)),
			},
			[]string{"2 wait 0-95", "2 work 95-100"},
			`95 % of 100 ms: the message waited for session 1, most of it while "broadcast sessions" went through its 5000 recipients.`,
			busyWith("Message", 0.2),
		},
		{
			"the process had little to do, but may have had more that was not recorded yet", waiting[1:], []string{"2 wait 5-400", "2 work 400-418"},
			"96 % of 413 ms: the message waited for guild 7, which spent 1 ms of that minute in M (the root of the trace is missing).",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "M", Share: 0.001, Took: time.Millisecond, Busy: 200 * time.Millisecond}, true
			},
		},
		{
			"the process had little to do", []tracetest.SpanStub{span(1, 0, consumer, "s M", 0, 10, of("s", "1", "M"), queued(990))},
			[]string{"1 wait -990-0", "1 work 0-10"},
			"99 % of 1 s: the message waited for s 1, which was busy for 3 ms of that minute, so it rather waited for a processor.",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "M", Share: 0.001, Busy: 3 * time.Millisecond}, true
			},
		},
		{
			"estimated timings", waiting, path,
			"94 % of 418 ms: the message waited for guild 7, which spent an estimated 100 % of that minute in Create.",
			func(string, string, time.Time) (explain.Busiest, bool) {
				return explain.Busiest{Message: "Create", Share: 7, Busy: 1, Estimated: true}, true
			},
		},
		{"refused", unhandled("refused_full"), lost, "95 % of 100 ms: the message waited for guild 7, whose mailbox was full and refused it.", nil},
		{"killed", unhandled("dead_letter_killed"), lost, "95 % of 100 ms: the message waited for guild 7, which was killed before it handled it.", nil},
		{"its own reason", unhandled("refused_too rude"), lost, `95 % of 100 ms: the message waited for guild 7, which refused it ("too rude").`, nil},
		{
			"a reply that came too late",
			[]tracetest.SpanStub{
				span(1, 0, internal, "call guild Get", 0, 10, of("guild", "7", "Get"), failed),
				span(2, 1, internal, "guild Get", 50, 60, of("guild", "7", "Get"), queued(50)),
				span(3, 1, internal, "reply guild Get", 0, 59, of("guild", "7", "Get"), late("late_reply")),
			},
			[]string{"2 wait 0-50", "2 work 50-60"},
			"83 % of 60 ms: the message waited for guild 7.", nil,
		},
	})
}

// The minute that timings are asked for is that in which most of the wait was.
func TestTheMinuteOfTheTimings(t *testing.T) {
	var kind, id string
	var at time.Time
	spans := snapshots(span(1, 0, consumer, "guild M", 0, 10, of("guild", "7", "M"), queued(90_000)))
	explain.Explain(spans, func(k, i string, a time.Time) (explain.Busiest, bool) {
		kind, id, at = k, i, a
		return explain.Busiest{}, false
	})
	assert.Equal(t, []string{"guild", "7"}, []string{kind, id})
	assert.Equal(t, after(-45_000), at)

	spans = snapshots(
		span(1, 0, client, "call", 0, 100, in("api")),
		span(2, 1, server, "guild M", -60_000, -59_910, in("guild"), of("guild", "7", "M"), queued(3)),
	)
	explain.Explain(spans, func(_, _ string, a time.Time) (explain.Busiest, bool) {
		at = a
		return explain.Busiest{}, false
	})
	assert.Equal(t, after(-59_955), at, "by the clock of the process")
}

func TestNetworkAndGaps(t *testing.T) {
	check(t, []answer{
		{
			"between a client and its server",
			[]tracetest.SpanStub{
				span(1, 0, client, "Publish", 0, 100, in("api")), span(2, 1, server, "Publish", 60, 95, in("guild")),
			},
			[]string{"1 network 0-60", "2 work 60-95", "1 network 95-100"},
			`65 % of 100 ms: the network between api and guild, for "Publish"; another 35 %: "Publish" in guild.`, nil,
		},
		{
			"on a stream",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10, in("api")),
				span(2, 1, consumer, "receive", 90, 100, in("guild"), queued(5), network(80), with(keys.ClocksCrossed.Bool(true))),
			},
			[]string{"1 work 0-5", "2 wait 5-10", "2 network 10-90", "2 work 90-100"},
			`80 % of 100 ms: the network between api and guild, for "receive" (the time in the network depends on two clocks).`, nil,
		},
		{
			"on a stream, of one machine",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10, in("api", attribute.String("host.name", "a"))),
				span(2, 1, consumer, "receive", 90, 100, in("guild", attribute.String("host.name", "a")), queued(5), network(80), with(keys.ClocksCrossed.Bool(true))),
			},
			[]string{"1 work 0-5", "2 wait 5-10", "2 network 10-90", "2 work 90-100"},
			`80 % of 100 ms: the network between api and guild, for "receive".`, nil,
		},
		{
			"a message that was read from bytes",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10, in("api")),
				span(2, 1, consumer, "receive", 90, 100, in("guild"), queued(80), with(keys.ClocksCrossed.Bool(true))),
			},
			[]string{"1 work 0-10", "2 wait 10-90", "2 work 90-100"},
			`80 % of 100 ms: the message waited in a queue for "receive" (how long it waited depends on two clocks).`, nil,
		},
		{
			"a mailbox behind the network",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10),
				span(2, 1, consumer, "guild M", 90, 100, of("guild", "7", "M"), queued(5), network(80)),
			},
			[]string{"1 work 0-5", "2 network 5-85", "2 wait 85-90", "2 work 90-100"},
			`80 % of 100 ms: the network, for "guild M".`, nil,
		},
		{
			"a timer",
			[]tracetest.SpanStub{
				span(1, 0, server, "POST /", 0, 10),
				span(2, 1, consumer, "guild Tick", 92, 100, of("guild", "7", "Tick"), queued(2)),
			},
			[]string{"1 work 0-10", "2 gap 10-90", "2 wait 90-92", "2 work 92-100"},
			`80 % of 100 ms: nothing in the trace explains why the message to "guild Tick" was sent so long after "POST /" had ended.`, nil,
		},
		{
			"a broker that says nothing",
			[]tracetest.SpanStub{span(1, 0, producer, "publish", 0, 10), span(2, 1, consumer, "process", 90, 100)},
			[]string{"1 work 0-10", "2 gap 10-90", "2 work 90-100"},
			`80 % of 100 ms: nothing in the trace explains the time after "publish" and before "process".`, nil,
		},
		{
			"a span is missing",
			[]tracetest.SpanStub{span(1, 0, server, "POST /", 0, 10), span(2, 9, consumer, "process", 90, 100)},
			[]string{"1 work 0-10", "2 gap 10-90", "2 work 90-100"},
			`80 % of 100 ms: nothing in the trace explains the time before "process", whose parent is missing (1 span lacks its parent).`, nil,
		},
	})
}
