// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

const (
	barWidth   = 32 // characters
	alikeShown = 3  // siblings of one name that are shown
)

// Waterfall writes the trace as a tree. For each span it says in which service and when
// it ran, how long its message waited, and how many recipients it stands for.
func (t Trace) Waterfall(w io.Writer) error {
	if len(t.Spans) == 0 {
		return nil
	}
	v := view{children: make(map[string][]Span), start: t.Spans[0].StartUnixNano}
	known := make(map[string]bool)
	for _, s := range t.Spans {
		known[s.SpanID] = true
		v.end = max(v.end, s.StartUnixNano+s.DurationNS)
	}
	for _, s := range t.Spans {
		parent := s.ParentID
		if !known[parent] {
			parent = ""
		}
		v.children[parent] = append(v.children[parent], s)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "trace %s: %d spans in %s\n", t.TraceID, len(t.Spans), duration(v.end-v.start))
	fmt.Fprintf(out, "service\tspan\t%s\tduration\twaited\tstands for\n", center("time", barWidth))
	v.write(out, "", 0)
	return out.Flush()
}

// view is a trace in the form that is written.
type view struct {
	children   map[string][]Span // by the parent's span ID
	start, end int64             // Unix nanoseconds
}

func (v view) write(w io.Writer, parent string, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, alike := range v.groups(parent) {
		for _, s := range alike[:min(len(alike), alikeShown)] {
			fmt.Fprintf(w, "%s\t%s%s\t%s\t%s\t%s\t%s\n", s.Service, indent, s.Name,
				v.bar(s), duration(s.DurationNS), seconds(s.Attributes[string(queueDuration)]),
				countText(s.Attributes[string(fanoutWeight)]))
			v.write(w, s.SpanID, depth+1)
		}
		if hidden := len(alike) - alikeShown; hidden > 0 {
			fmt.Fprintf(w, "\t%s… %d more like these\t\t\t\t\n", indent, hidden)
		}
	}
}

// groups returns the children of a span, grouped by name, in the order in which the
// first span of each group started. If a group has more spans than are shown, the spans
// with the most children come first.
func (v view) groups(parent string) [][]Span {
	var groups [][]Span
	index := make(map[string]int)
	for _, s := range v.children[parent] {
		i, ok := index[s.Name]
		if !ok {
			i = len(groups)
			index[s.Name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	for _, alike := range groups {
		if len(alike) <= alikeShown {
			continue
		}
		slices.SortStableFunc(alike, func(a, b Span) int {
			return cmp.Or(
				cmp.Compare(len(v.children[b.SpanID]), len(v.children[a.SpanID])),
				cmp.Compare(b.DurationNS, a.DurationNS))
		})
	}
	return groups
}

// bar draws when the span ran.
func (v view) bar(s Span) string {
	total := max(v.end-v.start, 1)
	from := int((s.StartUnixNano - v.start) * barWidth / total)
	from = min(max(from, 0), barWidth-1)
	length := max(int(s.DurationNS*barWidth/total), 1)
	length = min(length, barWidth-from)
	return strings.Repeat("·", from) + strings.Repeat("█", length) + strings.Repeat("·", barWidth-from-length)
}

func duration(ns int64) string {
	return fmt.Sprintf("%.3f ms", float64(ns)/float64(time.Millisecond))
}

func seconds(v any) string {
	s, ok := v.(float64)
	if !ok {
		return ""
	}
	return duration(int64(s * float64(time.Second)))
}

func countText(v any) string {
	n, ok := v.(float64)
	if !ok {
		return ""
	}
	return fmt.Sprintf("× %.4g", n)
}

func center(s string, width int) string {
	left := (width - utf8.RuneCountInString(s)) / 2
	return strings.Repeat(" ", left) + s
}
