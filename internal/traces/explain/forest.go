// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"slices"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// none is the index of no span.
const none = -1

// forest is the spans of a trace with those below each of them.
type forest struct {
	base   time.Time
	spans  []facts // in an order that does not depend on that of the input
	parent []int   // none for a top
	below  [][]int // by start, after the clocks were corrected
	tops   []int   // in order
	order  []int   // depth first
	depth  []int
	orphan []bool // the span has a parent, which is not there
}

// plant returns the forest of spans.
func plant(spans []sdktrace.ReadOnlySpan) *forest {
	t := &forest{base: firstStart(spans)}
	from := newSources()
	t.spans = make([]facts, 0, len(spans))
	for _, s := range spans {
		if s != nil {
			f := read(s, t.base)
			f.from = from.of(s.Resource())
			t.spans = append(t.spans, f)
		}
	}
	slices.SortFunc(t.spans, func(a, b facts) int { return compare(&a, &b) })
	n := len(t.spans)
	t.parent, t.orphan, t.depth = make([]int, n), make([]bool, n), make([]int, n)
	t.findParents()
	t.breakCycles()
	t.findBelow()
	t.walk()
	return t
}

// firstStart returns the first start of all spans, without the reading of the monotonic clock.
func firstStart(spans []sdktrace.ReadOnlySpan) time.Time {
	var first time.Time
	for _, s := range spans {
		if s == nil {
			continue
		}
		start, _ := times(s)
		if isTime(start) && (!isTime(first) || start.Before(first)) {
			first = start.Round(0)
		}
	}
	return first.UTC()
}

// findParents finds the parent of each span. Of several spans with an ID, that is the first.
func (t *forest) findParents() {
	byID := make(map[spanID]int, len(t.spans))
	for i := range t.spans {
		if _, taken := byID[t.spans[i].id]; !taken {
			byID[t.spans[i].id] = i
		}
	}
	for i := range t.spans {
		t.parent[i] = none
		if !t.spans[i].parent.span.IsValid() {
			continue
		}
		if p, ok := byID[t.spans[i].parent]; ok {
			t.parent[i] = p // Perhaps i itself: a short cycle.
		} else {
			t.orphan[i] = true
		}
	}
}

// breakCycles makes the first span of each cycle a top. From any span, it follows the parents to
// one that was seen before: if that was on the same way, it is in a cycle.
func (t *forest) breakCycles() {
	seen := make([]int, len(t.spans)) // On which way; 0 for not yet.
	for i := range t.spans {
		way := i + 1
		at := i
		for at != none && seen[at] == 0 {
			seen[at] = way
			at = t.parent[at]
		}
		if at == none || seen[at] != way {
			continue
		}
		first := at
		for next := t.parent[at]; next != at; next = t.parent[next] {
			first = min(first, next)
		}
		t.parent[first], t.orphan[first] = none, true
	}
}

func (t *forest) findBelow() {
	t.below = make([][]int, len(t.spans))
	counts := make([]int, len(t.spans))
	for i, p := range t.parent {
		if p == none {
			t.tops = append(t.tops, i)
		} else {
			counts[p]++
		}
	}
	all := make([]int, 0, len(t.spans)-len(t.tops)) // One piece of memory for all.
	for p, n := range counts {
		begin := len(all)
		all = all[:begin+n]
		t.below[p] = all[begin : begin : begin+n]
	}
	for i, p := range t.parent {
		if p != none {
			t.below[p] = append(t.below[p], i)
		}
	}
}

// walk finds the order of the spans and their depths, and corrects their clocks on the way.
func (t *forest) walk() {
	t.order = make([]int, 0, len(t.spans))
	stack := slices.Clone(t.tops)
	slices.Reverse(stack)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		t.order = append(t.order, i)
		below := t.below[i]
		for _, c := range below {
			t.depth[c] = t.depth[i] + 1
			t.correct(i, c)
		}
		slices.SortStableFunc(below, func(a, b int) int {
			return int(min(max(t.spans[a].start-t.spans[b].start, -1), 1))
		})
		for _, c := range slices.Backward(below) {
			stack = append(stack, c)
		}
	}
}

// at returns the time of an offset.
func (t *forest) at(offset int64) time.Time { return t.base.Add(time.Duration(offset)) }
