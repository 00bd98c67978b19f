// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import "slices"

// A handler may leave the answer of a call to another process. Then the handling is over long before
// the call, and the answer comes from the handling of a message that nobody waits for, as far as
// its span says.

// turn says that the path goes on in a span, when it has come back to a time.
type turn struct {
	span int
	at   int64
}

const (
	// worthForwarding is the share of the trace from which on it is looked for who answered.
	worthForwarding = 0.01
	// mostForwarded is for how many calls that is done at most; each takes O(n).
	mostForwarded = 64
)

// forward returns the span that answered the call at in place of below, its handling: of the
// messages that were handled below the call, that of which the handling ended nearest to now. It
// may have ended a little later, because the caller may hear of the answer first. There the path goes
// on, and when it is back at the end of below, it goes on in below.
func (p *path) forward(at, below int, now int64) int {
	back := p.until[below]
	if n := len(p.turns); n > 0 {
		back = max(back, p.turns[n-1].at)
	}
	worth := int64(worthForwarding * float64(p.end[p.last]-p.from))
	if p.spans[at].kind == "" || !p.spans[at].answered() || now-back <= worth || p.forwarded == mostForwarded {
		return none
	}
	p.forwarded++
	best, nearest := none, now-back
	stack := slices.Clone(p.below[at])
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], p.below[i]...)
		far := max(now-p.end[i], p.end[i]-now)
		if p.spans[i].async() && p.end[i] > back && p.end[i] <= now+worth && p.sent[i] < now && far < nearest {
			best, nearest = i, far
		}
	}
	if best != none {
		p.turns = append(p.turns, turn{below, back})
	}
	return best
}
