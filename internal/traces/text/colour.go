// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import "strings"

// style is what a terminal is told before a text, empty for nothing.
type style string

const (
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	yellow style = "\x1b[33m"
	cyan   style = "\x1b[36m"

	reset = "\x1b[0m"
)

// paint returns s in a style, if colours are wanted.
func (v *view) paint(s string, how style) string {
	if !v.Colour || how == "" || s == "" {
		return s
	}
	return string(how) + s + reset
}

// paintBar returns a bar in colours. What is on the critical path is brighter.
func (v *view) paintBar(bar string, onPath bool) string {
	var b, run strings.Builder
	var now style
	for _, r := range bar {
		if how := styleOf(r, onPath); how != now {
			b.WriteString(v.paint(run.String(), now))
			run.Reset()
			now = how
		}
		run.WriteRune(r)
	}
	b.WriteString(v.paint(run.String(), now))
	return b.String()
}

func styleOf(cell rune, onPath bool) style {
	switch string(cell) {
	case cells[cellIdle]:
		return dim
	case cells[cellWait], cells[cellNetwork]:
		return yellow
	default:
		if onPath {
			return cyan
		}
		return ""
	}
}
