// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// What says what a time was spent with.
type What int

const (
	// Work is the time of a span itself.
	Work What = iota
	// Wait is the time of a message in a mailbox or a channel.
	Wait
	// Network is the time of a message or an answer in the network.
	Network
	// Gap is time that nothing in the trace explains.
	Gap
)

// String returns what w is called in JSON: work, wait, network or gap.
func (w What) String() string {
	switch w {
	case Work:
		return "work"
	case Wait:
		return "wait"
	case Network:
		return "network"
	case Gap:
		return "gap"
	default:
		return "unknown"
	}
}

// Step is a part of the critical path.
type Step struct {
	// Span is the span that works, or whose message waits or is in the network. Before it is the
	// gap.
	Span trace.SpanID
	// From and To are by the clock of the topmost span, as those of a [Node]. To is after From.
	From, To time.Time
	What     What
}

// step is a Step before it is told to others.
type step struct {
	span     int
	from, to int64
	what     What
}

// path is the walk from the end of a trace back to its beginning.
type path struct {
	*forest
	above []int // the parent of each span, or what is taken for it
	// The times of spans as the walk takes them: no span and no wait begins before the span above
	// it began.
	sent, start, end []int64
	// awaited has the spans below each span for which it waits, the last one first. until is when
	// the wait for a span is over: at its end, or before, when the span above had its answer.
	awaited   [][]int
	until     []int64
	from      int64  // the beginning of the trace
	steps     []step // the last one first
	turns     []turn // the last one first in line
	forwarded int    // how many calls were looked at that others may have answered
	served    []bool // a CLIENT that has a SERVER below it
	last, top int    // the span that ends last, and the one that the path begins with
}

// walkBack finds the critical path of a trace.
func (t *forest) walkBack() *path {
	n := len(t.spans)
	p := &path{
		forest: t, above: slices.Clone(t.parent), sent: make([]int64, n), start: make([]int64, n),
		end: make([]int64, n), awaited: make([][]int, n), until: make([]int64, n), served: make([]bool, n),
		last: none, top: none,
	}
	if n == 0 {
		return p
	}
	p.adopt()
	p.bound()
	p.findAwaited()
	p.begin()
	p.run()
	slices.Reverse(p.steps)
	return p
}

// adopt gives the spans whose parent is missing to the root, if there is exactly one: their parent
// is somewhere below it.
func (p *path) adopt() {
	root := none
	for _, top := range p.tops {
		switch {
		case p.orphan[top]:
		case root != none:
			return
		default:
			root = top
		}
	}
	if root == none {
		return
	}
	for _, top := range p.tops {
		if top != root {
			p.above[top] = root
		}
	}
}

// bound sets the times of all spans. Those above a span come first in order, but a span that the
// root has adopted may come before the root.
func (p *path) bound() {
	for _, top := range p.tops {
		if p.above[top] == none {
			p.boundOne(top)
		}
	}
	for _, i := range p.order {
		if p.above[i] != none {
			p.boundOne(i)
		}
	}
}

func (p *path) boundOne(i int) {
	f := &p.spans[i]
	start, sent := f.start, f.start-f.wait()
	if f.late == lateReply { // Only its end says something.
		start, sent = f.end, f.end
	}
	if a := p.above[i]; a != none {
		start = max(start, p.start[a])
		sent = max(sent, p.start[a])
	}
	p.start[i], p.sent[i], p.end[i] = start, min(sent, start), max(f.end, start)
}

func (p *path) findAwaited() {
	for _, i := range p.order {
		a := p.above[i]
		if a == none {
			continue
		}
		f, above := &p.spans[i], &p.spans[a]
		client := above.span.SpanKind() == trace.SpanKindClient && f.span.SpanKind() == trace.SpanKindServer
		p.served[a] = p.served[a] || client
		p.until[i] = p.end[i]
		if above.answered() {
			p.until[i] = min(p.end[i], p.end[a])
		}
		if !f.async() { // What ends later than the span above is never on the way back through that.
			p.awaited[a] = append(p.awaited[a], i)
		}
	}
	for _, list := range p.awaited {
		slices.SortStableFunc(list, func(i, j int) int { return cmp.Compare(p.until[j], p.until[i]) })
	}
}

// begin finds where the trace ends and begins.
func (p *path) begin() {
	for _, i := range p.order {
		if p.last == none || p.end[i] > p.end[p.last] {
			p.last = i
		}
		if p.above[i] == none && (p.top == none || p.sent[i] < p.sent[p.top]) {
			p.top = i
		}
	}
	p.from = p.sent[p.top]
}

// run goes from the end of the trace to its beginning: down into what a span waited for, and up
// again. It goes down into each span once at most.
func (p *path) run() {
	at, now := p.last, p.end[p.last]
	for {
		if n := len(p.turns); n > 0 && now <= p.turns[n-1].at {
			at, now = p.turns[n-1].span, p.turns[n-1].at
			p.turns = p.turns[:n-1]
			continue
		}
		if now <= p.from {
			return
		}
		if below := p.next(at, now); below != none {
			if other := p.forward(at, below, now); other != none {
				below = other
			}
			p.add(at, p.own(at), p.until[below], now)
			at, now = below, min(now, p.until[below])
			continue
		}
		p.add(at, p.own(at), p.start[at], now)
		now = p.addWaits(at, min(now, p.start[at]))
		if above := p.above[at]; above != none {
			p.add(at, Gap, p.end[above], now)
			at, now = above, min(now, p.end[above])
		} else if len(p.turns) == 0 {
			p.add(at, Gap, p.from, now)
			return
		}
	}
}

// next returns the span that was over last before now, of those for which the span at waits.
func (p *path) next(at int, now int64) int {
	for list := p.awaited[at]; len(list) > 0; list = p.awaited[at] {
		p.awaited[at] = list[1:] // Later it is no candidate any more, because now goes back.
		if p.until[list[0]] <= now {
			return list[0]
		}
	}
	return none
}

// own says what the time of the span at is that it does not spend with what is below it.
func (p *path) own(at int) What {
	switch {
	case p.spans[at].unhandled:
		return Wait
	case p.served[at]:
		return Network
	default:
		return Work
	}
}

// addWaits adds what a message spent in a queue and in the network before now, and returns when
// it was sent. A mailbox is behind the network, and other queues are in front of it.
func (p *path) addWaits(at int, now int64) int64 {
	f := &p.spans[at]
	last, size, first := Network, f.network, Wait
	if f.kind != "" {
		last, size, first = Wait, f.queue, Network
	}
	middle := max(p.start[at]-size, p.sent[at])
	p.add(at, last, middle, now)
	p.add(at, first, p.sent[at], min(now, middle))
	return min(now, p.sent[at])
}

// add adds a step, unless it is empty.
func (p *path) add(span int, what What, from, to int64) {
	if n := len(p.turns); n > 0 {
		from = max(from, p.turns[n-1].at)
	}
	if from >= to {
		return
	}
	if n := len(p.steps); n > 0 && p.steps[n-1].span == span && p.steps[n-1].what == what {
		p.steps[n-1].from = from
		return
	}
	p.steps = append(p.steps, step{span, from, to, what})
}
