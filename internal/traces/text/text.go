// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/plain"
)

// Options says how a trace is drawn. The zero value is the default.
type Options struct {
	// Colour draws in the colours of terminals. Whoever sets it has made sure that the output is a
	// terminal and that its user wants that (NO_COLOR).
	Colour bool
	// Width is how many columns there are: 120 by default, and 80 at least.
	Width int
	// Rows is how many lines of spans there are at most: 200 by default.
	Rows int
	// NoLegend leaves out what the signs mean, where another trace says it.
	NoLegend bool
	// LeftOut is how many further spans of the trace were not kept.
	LeftOut int
	// Did tells what processes did; it may be nil.
	Did explain.Activity
}

const (
	defaultWidth, leastWidth = 120, 80
	defaultRows              = 200
)

// Write writes the trace with that ID, which consists of spans. It writes nothing if there are
// none.
func Write(w io.Writer, id trace.TraceID, spans []sdktrace.ReadOnlySpan, o Options) error {
	o.Width = max(cmp.Or(o.Width, defaultWidth), leastWidth)
	if o.Rows <= 0 {
		o.Rows = defaultRows
	}
	nodes := explain.Tree(spans)
	if len(nodes) == 0 {
		return nil
	}
	e := explain.Part(spans, o.LeftOut, o.Did)
	v := newView(nodes, e, o)
	v.fold()
	out := bufio.NewWriter(w)
	v.writeHead(out, id)
	v.writeTable(out)
	if !o.NoLegend {
		v.writeLegend(out)
	}
	return out.Flush()
}

// writeHead writes what the trace is and why it took so long.
func (v *view) writeHead(w io.Writer, id trace.TraceID) {
	services := make(map[string]bool)
	for i := range v.nodes {
		services[v.nodes[i].Service] = true
	}
	fmt.Fprintf(w, "trace %s: %s of %s in %s\n", id, count(len(v.nodes), "span"), count(len(services), "service"),
		plain.Duration(v.Duration))
	for _, line := range wrap(v.Sentence, v.Width) {
		fmt.Fprintln(w, v.paint(line, bold))
	}
	fmt.Fprintln(w)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wrap breaks s between words into lines of that width. A word that is longer has a line of its
// own.
func wrap(s string, width int) (lines []string) {
	line, used := "", 0
	for word := range strings.SplitSeq(s, " ") {
		n := plain.Columns(word)
		if used > 0 && used+1+n > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += n
	}
	return append(lines, line)
}
