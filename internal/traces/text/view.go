// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// alikeShown is how many siblings are shown that are alike.
const alikeShown = 3

// view is a trace and what is shown of it.
type view struct {
	explain.Explanation
	Options

	nodes []explain.Node
	below [][]int                        // the nodes below each node
	path  map[trace.SpanID]time.Duration // how much of the critical path a span has
	lines []line
	size  []int           // how many nodes each node is with those below it
	whole []time.Duration // how much of the critical path these have
	cut   int             // nodes for which there were too many lines

	without []string // headings of figures for which there is no room
}

// line is a node that is shown, or what is said of those that are not.
type line struct {
	node   int
	depth  int
	hidden int // so many more siblings are like the node
	below  int // so many nodes are below them
	failed int // so many of them failed
}

func newView(nodes []explain.Node, e explain.Explanation, o Options) *view {
	v := &view{
		Explanation: e, Options: o, nodes: nodes,
		below: make([][]int, len(nodes)), path: make(map[trace.SpanID]time.Duration),
	}
	for _, s := range e.Path {
		if s.What != explain.Gap { // Which is nobody's.
			v.path[s.Span] += s.To.Sub(s.From)
		}
	}
	for i := range nodes {
		if p := nodes[i].Parent; p >= 0 {
			v.below[p] = append(v.below[p], i)
		}
	}
	v.size, v.whole = make([]int, len(nodes)), make([]time.Duration, len(nodes))
	for i := range slices.Backward(nodes) { // Each after those below it.
		v.size[i]++
		v.whole[i] += v.path[nodes[i].Span.SpanContext().SpanID()]
		if p := nodes[i].Parent; p >= 0 {
			v.size[p] += v.size[i]
			v.whole[p] += v.whole[i]
		}
	}
	return v
}

// fold decides what is shown. Lines that are still to come are on a stack, the next one last.
func (v *view) fold() {
	var tops []int
	for i := range v.nodes {
		if v.nodes[i].Parent < 0 {
			tops = append(tops, i)
		}
	}
	stack := v.groups(tops)
	for len(stack) > 0 {
		l := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if len(v.lines) == v.Rows {
			v.cut = len(v.nodes) - v.shown()
			return
		}
		v.lines = append(v.lines, l)
		if l.hidden == 0 {
			stack = append(stack, v.groups(v.below[l.node])...)
		}
	}
}

// shown counts the nodes that lines stand for.
func (v *view) shown() (n int) {
	for _, l := range v.lines {
		n += max(l.hidden, 1) + l.below
	}
	return n
}

// groups returns the lines for siblings, the last one first. They are grouped by name and service,
// in the order in which the first of each group started.
func (v *view) groups(siblings []int) []line {
	type alike struct{ service, name string }
	var groups [][]int
	index := make(map[alike]int)
	for _, i := range siblings {
		key := alike{v.nodes[i].Origin, v.nodes[i].Span.Name()}
		g, ok := index[key]
		if !ok {
			g = len(groups)
			index[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	var lines []line
	for _, group := range groups {
		lines = v.appendGroup(lines, group)
	}
	slices.Reverse(lines)
	return lines
}

// appendGroup appends the lines for siblings that are alike. If there are many, those are shown
// that tell most: those on or above the critical path, then those that failed, then those with spans
// below them, then those that took longest.
func (v *view) appendGroup(lines []line, group []int) []line {
	shown := group
	if len(group) > alikeShown+1 { // One more takes as many lines as to say that it is not shown.
		shown = slices.Clone(group)
		slices.SortStableFunc(shown, func(i, j int) int {
			a, b := &v.nodes[i], &v.nodes[j]
			return cmp.Or(
				cmp.Compare(v.whole[j], v.whole[i]),
				compareBools(b.Failed, a.Failed),
				cmp.Compare(b.Below, a.Below),
				cmp.Compare(took(b), took(a)),
			)
		})
		shown = shown[:alikeShown]
		slices.Sort(shown)
	}
	rest := line{node: group[0], depth: v.nodes[group[0]].Depth, hidden: len(group) - len(shown)}
	for _, i := range group {
		if slices.Contains(shown, i) {
			continue
		}
		rest.below += v.size[i] - 1
		if v.nodes[i].Failed {
			rest.failed++
		}
	}
	for _, i := range shown {
		lines = append(lines, line{node: i, depth: v.nodes[i].Depth})
	}
	if rest.hidden > 0 {
		lines = append(lines, rest)
	}
	return lines
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// took returns how long a span took, with the wait before it.
func took(n *explain.Node) time.Duration {
	d := n.End.Sub(n.Start)
	if !n.Unhandled {
		d += n.Queue + n.Network
	}
	return d
}
