// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// What a cell of a bar shows. What comes later is drawn over what comes before.
const (
	cellIdle = iota
	cellNetwork
	cellWait
	cellWork
)

var cells = [...]string{cellIdle: "·", cellNetwork: "▒", cellWait: "░", cellWork: "█"}

// bar draws when a span ran, and before that, when its message waited.
func (v *view) bar(n *explain.Node, width int) string {
	shown := make([]int, width)
	work := cellWork
	if n.Unhandled {
		work = cellWait
	} else {
		first, size, last := cellWait, n.Network, cellNetwork
		if n.Kind != "" { // A mailbox is behind the network; other queues are in front of it.
			first, size, last = cellNetwork, n.Queue, cellWait
		}
		before := n.Start.Add(-n.Queue - n.Network)
		middle := n.Start.Add(-size)
		v.draw(shown, first, before, middle)
		v.draw(shown, last, middle, n.Start)
	}
	v.draw(shown, work, n.Start, n.End)
	if first := v.cell(n.Start, width); shown[first] < work {
		shown[first] = work // Even if it took no time.
	}
	var b strings.Builder
	for _, c := range shown {
		b.WriteString(cells[c])
	}
	return b.String()
}

// draw draws the cells of which most is between from and to.
func (v *view) draw(shown []int, what int, from, to time.Time) {
	width := len(shown)
	for c := v.edge(from, width); c < v.edge(to, width); c++ {
		shown[c] = max(shown[c], what)
	}
}

// edge returns the edge between two cells that is next to t, from 0 to width.
func (v *view) edge(t time.Time, width int) int {
	return min(int(v.position(t)*float64(width)+0.5), width)
}

// cell returns the cell that t is in.
func (v *view) cell(t time.Time, width int) int {
	return min(int(v.position(t)*float64(width)), width-1)
}

// position returns where t is between the beginning of the trace, 0, and its end, 1.
func (v *view) position(t time.Time) float64 {
	if v.Duration <= 0 {
		return 0
	}
	return min(max(float64(t.Sub(v.Start))/float64(v.Duration), 0), 1)
}
