// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// outline writes a tree, a span a line: its number, moved to the right by its depth, and the number of
// spans directly below it.
func outline(spans []tracetest.SpanStub) (lines []string) {
	for _, n := range explain.Tree(snapshots(spans...)) {
		line := fmt.Sprintf("%s%d (%d)", strings.Repeat(".", n.Depth), number(n.Span.SpanContext().SpanID()), n.Below)
		if n.ParentMissing {
			line += " missing"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestTree(t *testing.T) {
	at := func(n, parent int, from float64) tracetest.SpanStub {
		return span(n, parent, internal, "s", from, from+1)
	}
	for name, test := range map[string]struct {
		spans []tracetest.SpanStub
		want  []string
	}{
		"nothing":                    {nil, nil},
		"in the order of the starts": {[]tracetest.SpanStub{at(3, 1, 7), at(2, 1, 5), at(4, 2, 9), at(1, 0, 0)}, []string{"1 (2)", ".2 (1)", "..4 (0)", ".3 (0)"}},
		"several roots":              {[]tracetest.SpanStub{at(1, 0, 5), at(2, 0, 0), at(3, 1, 6)}, []string{"2 (0)", "1 (1)", ".3 (0)"}},
		"a parent is missing":        {[]tracetest.SpanStub{at(1, 0, 0), at(2, 9, 5), at(3, 2, 6)}, []string{"1 (0)", "2 (1) missing", ".3 (0)"}},
		"its own parent":             {[]tracetest.SpanStub{at(1, 1, 0)}, []string{"1 (0) missing"}},
		"a cycle with others below it": {
			[]tracetest.SpanStub{at(1, 3, 2), at(2, 1, 1), at(3, 2, 3), at(4, 3, 4)},
			[]string{"2 (1) missing", ".3 (2)", "..1 (0)", "..4 (0)"},
		},
		"the same ID twice": {
			[]tracetest.SpanStub{at(1, 0, 0), at(2, 1, 1), at(2, 1, 2), at(3, 2, 3)},
			[]string{"1 (2)", ".2 (1)", "..3 (0)", ".2 (0)"},
		},
		"in the order of the starts by one clock": {
			[]tracetest.SpanStub{
				span(1, 0, client, "s", 0, 100, in("a")), span(2, 1, server, "s", 5020, 5080, in("b")), span(3, 1, internal, "s", 60, 61, in("a")),
			},
			[]string{"1 (2)", ".2 (0)", ".3 (0)"},
		},
		"a span before its parent": {[]tracetest.SpanStub{at(1, 0, 10), at(2, 1, 5)}, []string{"1 (1)", ".2 (0)"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, outline(test.spans)) })
	}
}

func TestNodes(t *testing.T) {
	nodes := explain.Tree(snapshots(
		span(1, 0, client, "publish", 0, 100, in("api")),
		span(2, 1, server, "publish", -5000, -4910, in("guild"), failed),
		span(3, 2, consumer, "guild M", -4950, -4940, in("guild"), of("guild", "7", "M"), queued(30), network(2), late("slow"),
			weight(0), linked("restart")),
		span(4, 2, consumer, "guild M", -4930, -4920, in("guild"), late("refused_full"), queued(10)),
	))
	require.Len(t, nodes, 4)
	for i := range nodes {
		nodes[i].Span = nil
		nodes[i].Service, nodes[i].Origin = "", "" // See TestOrigins.
	}
	skew := 5005 * time.Millisecond
	assert.Equal(t, []explain.Node{
		{Parent: -1, Below: 1, Start: after(0), End: after(100), Weight: -1},
		{Parent: 0, Depth: 1, Below: 2, Start: after(5), End: after(95), Skew: skew, Failed: true, Weight: -1},
		{
			Parent: 1, Depth: 2, Start: after(55), End: after(65), Skew: skew, Queue: 30 * time.Millisecond, Network: 2 * time.Millisecond,
			Late: "slow", Restarted: true, Kind: "guild", ID: "7", Message: "M",
		},
		{
			Parent: 1, Depth: 2, Start: after(75), End: after(85), Skew: skew, Queue: 10 * time.Millisecond,
			Late: "refused_full", Unhandled: true, Weight: -1,
		},
	}, nodes)
}

// A span without its times is at the beginning, or has no duration.
func TestSpansWithoutTimes(t *testing.T) {
	open, none, late := span(2, 1, internal, "open", 2, 2), span(3, 1, internal, "none", 0, 0), span(4, 1, internal, "late", 0, 9)
	open.EndTime, late.StartTime = time.Time{}, time.Time{}
	none.StartTime, none.EndTime = time.Unix(0, 0), time.Unix(0, 0)
	for _, n := range explain.Tree(snapshots(span(1, 0, server, "root", 0, 10), open, none, late)) {
		from, to := ms(n.Start), ms(n.End)
		switch n.Span.Name() {
		case "open":
			assert.Equal(t, []float64{2, 2}, []float64{from, to})
		case "none":
			assert.Equal(t, []float64{0, 0}, []float64{from, to})
		case "late":
			assert.Equal(t, []float64{9, 9}, []float64{from, to})
		}
	}
	none.Parent = open.Parent.WithSpanID([8]byte{})
	only := explain.Tree(snapshots(none))
	require.Len(t, only, 1)
	assert.Zero(t, only[0].End.Sub(only[0].Start))
}
