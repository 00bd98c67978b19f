// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// writeLegend explains the signs that were used, and no others.
func (v *view) writeLegend(w io.Writer) {
	has := func(test func(n *explain.Node) bool) bool {
		return slices.ContainsFunc(v.lines, func(l line) bool { return l.hidden == 0 && test(&v.nodes[l.node]) })
	}
	signs := []string{cells[cellWork] + " at work"}
	if has(func(n *explain.Node) bool { return n.Queue > 0 || n.Unhandled }) {
		signs = append(signs, cells[cellWait]+" its message waited in a queue")
	}
	if has(func(n *explain.Node) bool { return n.Network > 0 }) {
		signs = append(signs, cells[cellNetwork]+" its message was in the network")
	}
	signs = append(signs, "path: its share of the critical path, on which the end of the trace waited")
	weights := !slices.Contains(v.without, headings.weight)
	if weights && has(func(n *explain.Node) bool { return n.Weight > 0 }) {
		signs = append(signs, "× 30: sampled, stands for 30 recipients")
	}
	if weights && has(func(n *explain.Node) bool { return n.Weight == 0 }) {
		signs = append(signs, "× 0: in no estimate, recorded because it was slow or failed")
	}
	fmt.Fprintln(w)
	for _, l := range wrapAll(signs, v.Width) {
		fmt.Fprintln(w, v.paint(l, dim))
	}
}

// wrapAll puts texts into lines of that width, two spaces apart.
func wrapAll(texts []string, width int) []string {
	const space = "\u00a0" // Does not end a line.
	for i, text := range texts {
		texts[i] = strings.ReplaceAll(text, " ", space)
	}
	lines := wrap(strings.Join(texts, space+space+" "), width)
	for i, l := range lines {
		lines[i] = strings.TrimRight(strings.ReplaceAll(l, space, " "), " ")
	}
	return lines
}
