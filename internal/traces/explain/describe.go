// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import "fmt"

// busy is the share of a minute from which on it is worth mentioning what a process did that did not
// keep a message waiting.
const busy = 0.1

// describeWork says which span or process worked.
func (w *writer) describeWork(p *part) string {
	at := p.longest.span
	f := &w.spans[at]
	var text string
	switch {
	case f.kind != "" && f.answered():
		text = w.describeCall(at)
	case f.kind == "":
		text = w.describeSpan(p)
	case p.spans > 1:
		text = f.processName() + " handled " + count(p.spans, "message", "messages")
	default:
		text = f.processName() + " handled " + word(f.message)
	}
	if f.failed {
		w.said[at] = true
		text += " and failed"
	}
	if f.kind != "" && !f.answered() {
		if did := w.timings(f, p.longest); did != "" {
			text += ", and " + did
		}
	}
	return text + w.perhaps(p.longest)
}

// describeSpan names a span that is of no process.
func (w *writer) describeSpan(p *part) string {
	at := p.longest.span
	f := &w.spans[at]
	text := f.name()
	if p.spans > 1 {
		text = fmt.Sprintf("%d × %s", p.spans, text)
	}
	itself := ""
	if len(w.below[at]) > 0 {
		itself = " itself"
	}
	for above := w.parent[at]; above != none; above = w.parent[above] {
		if g := &w.spans[above]; g.kind != "" && !g.answered() {
			return text + itself + ", while " + g.processName() + " handled " + word(g.message)
		}
	}
	if s := f.from.service; s != "" {
		text += " in " + word(s)
	}
	return text + itself
}

// describeCall names a call that took long outside of its handling.
func (w *writer) describeCall(at int) string {
	f := &w.spans[at]
	for _, c := range w.below[at] {
		if w.spans[c].kind != "" {
			return "the call of " + f.processName() + ", before or after its handling"
		}
	}
	return "the call of " + f.processName() + ", of which the trace does not show the handling"
}

// perhaps says for whom the span of s may have waited, which sent a message and then got an answer
// in a way that the trace does not show: that of which the handling took nearly the whole of the
// step.
func (w *writer) perhaps(s step) string {
	const nearly = 0.8
	if w.spans[s.span].answered() {
		return ""
	}
	best, longest := none, int64(nearly*float64(s.to-s.from))
	stack := append([]int(nil), w.below[s.span]...)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], w.below[i]...)
		if !w.spans[i].async() || w.end[i] > s.to {
			continue
		}
		if both := overlap(w.sent[i], w.end[i], s.from, s.to); both >= longest && (both > longest || best == none) {
			best, longest = i, both
		}
	}
	if best == none {
		return ""
	}
	return ", unless it waited for " + w.spans[best].who() + " meanwhile"
}

// who names the process of a span, or else the span.
func (f *facts) who() string {
	if f.kind == "" {
		return f.name()
	}
	return f.processName()
}

// overlap returns how long two times overlap.
func overlap(from, to, from2, to2 int64) int64 { return max(min(to, to2)-max(from, from2), 0) }
