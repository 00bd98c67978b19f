// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// heading is above the columns of all tables: numbers to the right, and names at the end.
const heading = "share\tbusy\tmessages\tlongest\tmean wait\tlongest wait\t  "

func (d topDocument) writeText(to *strings.Builder) {
	fmt.Fprintf(to, "%s, by %s\n\n", d.describe(), d.by)
	t := newTable(to, "process")
	for i := range d.Processes {
		p := &d.Processes[i]
		t.rows(plain(p.Kind)+" "+plain(p.ID), &p.All, p.Types)
	}
	t.end()
	if d.More > 0 {
		fmt.Fprintf(to, "\nand %d more\n", d.More)
	}
}

func (d processDocument) writeText(to *strings.Builder) {
	fmt.Fprintf(to, "%s %s, minute by minute\n\n", plain(d.Kind), plain(d.ID))
	t := newTable(to, "minute")
	for i := range d.Minutes {
		m := &d.Minutes[i]
		t.rows(m.describe(), &m.All, m.Types)
	}
	t.end()
}

func (d kindsDocument) writeText(to *strings.Builder) {
	fmt.Fprintf(to, "%s, by kind\n\n", d.describe())
	t := newTable(to, "kind")
	for i := range d.Kinds.Kinds {
		k := &d.Kinds.Kinds[i]
		t.rows(fmt.Sprintf("%s (%d processes)", plain(k.Kind), k.Processes), &k.All, k.Types)
		if k.Forgotten.Count > 0 || k.Forgotten.Busy > 0 {
			t.row("  of it forgotten", &k.Forgotten)
		}
	}
	t.end()
	fmt.Fprintf(to, "\n%d of %d bytes, %d minutes of processes kept, %d forgotten\n",
		d.Usage.Bytes, d.Usage.MaxBytes, d.Usage.Kept, d.Usage.Forgotten)
}

// describe returns when the period begins, and how much of it has passed.
func (p Period) describe() string {
	return p.Begin.Format("2006-01-02 15:04 MST, ") + p.Length.Round(time.Second).String()
}

// tableWriter writes rows with aligned columns.
type tableWriter struct{ to *tabwriter.Writer }

func newTable(to io.Writer, what string) tableWriter {
	t := tableWriter{tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintln(t.to, heading+what)
	return t
}

// rows writes what all messages together did, and each type of them.
func (t tableWriter) rows(name string, all *Row, types []Row) {
	t.row(name, all)
	for i := range types {
		t.row("  "+plain(types[i].Type), &types[i])
	}
}

func (t tableWriter) row(name string, r *Row) {
	about := ""
	if r.Timed < r.Count {
		about = "~"
	}
	fmt.Fprintf(t.to, "%s%.1f %%\t%s%v\t%s%d\t%v\t%s%v\t%v\t  %s\n",
		about, 100*r.Share, about, short(r.Busy), about, r.Count, short(r.Longest),
		about, short(r.MeanWait()), short(r.LongestWait), name)
}

func (t tableWriter) end() { _ = t.to.Flush() } // A strings.Builder takes everything.

// short returns d without the digits that nobody reads.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Microsecond)
	default:
		return d
	}
}

// plain returns a name that somebody gave as text of one line, without characters that do
// something to a terminal. It is quoted if it would not be clear otherwise.
func plain(name string) string {
	quoted := strconv.Quote(name)
	if name == "" || strings.Contains(name, " ") || quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
