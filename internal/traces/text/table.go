// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/plain"
)

const (
	gap         = 2  // columns between two columns of the table
	mostService = 16 // the most columns for the name of a service and its instance
	leastName   = 8  // the least columns for a name beside its note
	leastNames  = 20 // the least columns for names, if a figure less makes room for them
	leastBar    = 12 // the least columns for bars
	deepest     = 12 // the depth from which on names are not moved to the right any more
	barColumn   = 2  // which column has the bars

	longestReason = 30 // the most characters of a reason for a late span
)

// row is what a line of the table says.
type row struct {
	service, name, note                 string
	path, took, waited, network, weight string
	failed, onPath                      bool
	indent                              int // columns of the name
}

// table is all rows, and how wide their columns are. A column that is empty has no width.
type table struct {
	*view

	rows                            []row
	service, name, bar              int
	path, took, waited, net, weight int
}

// headings are above the columns.
var headings = row{
	service: "service", name: "span", path: "path", took: "duration", waited: "waited", network: "network", weight: "weight",
}

func (v *view) writeTable(w io.Writer) {
	t := &table{view: v}
	for _, l := range v.lines {
		t.rows = append(t.rows, v.row(l))
	}
	t.measure()
	t.makeRoom()
	t.write(w, headings, t.scale(), dim)
	for i, l := range v.lines {
		bar := ""
		if l.hidden == 0 {
			bar = v.bar(&v.nodes[l.node], t.bar)
		}
		t.write(w, t.rows[i], bar, "")
	}
	if v.cut > 0 {
		fmt.Fprintf(w, "… %s more\n", count(v.cut, "span"))
	}
	if len(t.without) > 0 {
		fmt.Fprintln(w, t.paint("no room for: "+strings.Join(t.without, ", "), dim))
	}
}

// row says what the line of a node says, but for the bar, whose width is not known yet.
func (v *view) row(l line) row {
	n := &v.nodes[l.node]
	step := "  "
	if v.Width < defaultWidth {
		step = " "
	}
	indent := strings.Repeat(step, min(l.depth, deepest))
	if l.depth > deepest {
		indent += "⋮ "
	}
	if l.hidden > 0 {
		return row{name: indent + fmt.Sprintf("… %d more like these", l.hidden), note: noteOfHidden(l), indent: plain.Columns(indent)}
	}
	path := v.path[n.Span.SpanContext().SpanID()]
	r := row{
		service: plain.Fit(n.Origin, mostService), name: indent + plain.Name(n.Span.Name(), v.Width), note: noteOf(n),
		took: plain.Duration(n.End.Sub(n.Start)), failed: n.Failed, onPath: path > 0,
		indent: plain.Columns(indent),
	}
	if path > 0 {
		r.path = plain.Percent(float64(path) / float64(v.Duration))
	}
	if n.Queue > 0 {
		r.waited = plain.Duration(n.Queue)
	}
	if n.Network > 0 {
		r.network = plain.Duration(n.Network)
	}
	if n.Weight >= 0 {
		r.weight = fmt.Sprintf("× %.4g", n.Weight)
	}
	return r
}

// noteOf returns what is unusual about a span.
func noteOf(n *explain.Node) string {
	var notes []string
	if n.Restarted {
		notes = append(notes, "after a restart")
	}
	if n.Late != "" {
		notes = append(notes, because(n.Late))
	} else if n.Failed {
		notes = append(notes, "failed")
	}
	if n.ParentMissing {
		notes = append(notes, "parent missing")
	}
	if n.Skew != 0 {
		notes = append(notes, "clock moved by "+plain.Duration(n.Skew))
	}
	if len(notes) == 0 {
		return ""
	}
	return " [" + strings.Join(notes, ", ") + "]"
}

// because says why there is a late span.
func because(late string) string {
	if why, ok := strings.CutPrefix(late, "refused_"); ok {
		return "refused: " + plain.Name(why, longestReason)
	}
	if why, ok := strings.CutPrefix(late, "dead_letter_"); ok {
		return "never handled: " + plain.Name(why, longestReason)
	}
	return strings.ReplaceAll(plain.Name(late, longestReason), "_", " ")
}

func noteOfHidden(l line) string {
	text := ""
	if l.below > 0 {
		text += ", with " + count(l.below, "span") + " below them"
	}
	if l.failed > 0 {
		text += fmt.Sprintf(", %d failed", l.failed)
	}
	return text
}

// measure finds how wide the columns have to be for all that is in them.
func (t *table) measure() {
	t.service, t.name = len("service"), len("span")
	for i := range t.rows {
		r := &t.rows[i]
		t.service = max(t.service, plain.Columns(r.service))
		t.name = max(t.name, plain.Columns(r.name+r.note))
		t.path = max(t.path, len(r.path))
		t.took = max(t.took, plain.Columns(r.took))
		t.waited = max(t.waited, plain.Columns(r.waited))
		t.net = max(t.net, plain.Columns(r.network))
		t.weight = max(t.weight, plain.Columns(r.weight))
	}
}

// makeRoom divides the width. Names and bars share what the figures leave. If that is too
// little, the figures that the bars or the sentence show too are left out, one after another.
func (t *table) makeRoom() {
	room := t.Width - t.service - gap
	figures := []struct {
		width   *int
		heading string
	}{
		{&t.path, headings.path}, {&t.took, headings.took}, {&t.waited, headings.waited}, {&t.weight, headings.weight},
		{&t.net, headings.network},
	}
	for _, f := range figures {
		if *f.width > 0 {
			*f.width = max(*f.width, len(f.heading))
			room -= gap + *f.width
		}
	}
	wanted := min(t.name, leastNames) + gap + leastBar
	for _, f := range slices.Backward(figures[2:]) {
		if *f.width > 0 && room < wanted {
			room += gap + *f.width
			*f.width = 0
			t.without = append(t.without, f.heading)
		}
	}
	t.bar = min(max(t.Width/3, leastBar), 48)
	t.bar = max(min(t.bar, room-gap-t.name), leastBar)
	t.name = min(t.name, room-gap-t.bar)
}

// scale is the heading of the bars: the beginning of the trace and its end.
func (t *table) scale() string {
	end := plain.Duration(t.Duration)
	return "0" + strings.Repeat(" ", max(t.bar-1-plain.Columns(end), 1)) + end
}

// write writes one line. Spaces at its end are left out.
func (t *table) write(w io.Writer, r row, bar string, s style) {
	nameStyle := s
	switch {
	case r.failed:
		nameStyle = red
	case r.onPath:
		nameStyle = bold
	}
	columns := []struct {
		text  string
		width int
		right bool
		style style
	}{
		{r.service, t.service, false, s},
		{t.fit(r), t.name, false, nameStyle},
		{bar, t.bar, false, s},
		{r.path, t.path, true, nameStyle},
		{r.took, t.took, true, s},
		{r.waited, t.waited, true, s},
		{r.network, t.net, true, s},
		{r.weight, t.weight, true, s},
	}
	var b strings.Builder
	spaces := 0
	for i, c := range columns {
		if c.width == 0 {
			continue
		}
		pad := max(c.width-plain.Columns(c.text), 0)
		if c.right {
			spaces += pad
			pad = 0
		}
		if c.text != "" {
			b.WriteString(strings.Repeat(" ", spaces))
			spaces = 0
		}
		if i == barColumn && s == "" {
			b.WriteString(t.paintBar(bar, r.onPath))
		} else {
			b.WriteString(t.paint(c.text, c.style))
		}
		spaces += pad + gap
	}
	fmt.Fprintln(w, b.String())
}

// fit returns the name and the note of a row, cut to their column.
func (t *table) fit(r row) string {
	note := r.note
	if note != "" {
		note = plain.Fit(note, max(t.name-r.indent-leastName, 1))
	}
	return plain.Fit(r.name, max(t.name-plain.Columns(note), 1)) + note
}
