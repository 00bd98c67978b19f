// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/term"

	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/internal/traces/plain"
	"github.com/waybill-go/waybill/internal/traces/text"
)

const printUsage = `Usage: waybill-viewer print [flags] FILE...

Prints the trace in the files as a waterfall, or a list if there are several. The files are
OTLP in JSON, one object or one a line; - is the standard input. Colours are for terminals, and
NO_COLOR switches them off.

Flags:
`

// maxListed is how many traces are listed.
const maxListed = 1000

type printOptions struct {
	trace  string // the beginning of an ID; empty for any
	memory byteSize
	width  int
	files  []string
}

func parsePrint(args []string, out io.Writer) (printOptions, error) {
	o := printOptions{memory: defaultMemory}
	flags := flag.NewFlagSet("waybill-viewer print", flag.ContinueOnError)
	flags.StringVar(&o.trace, "trace", "", "the `ID` of the trace to print, or the beginning of it")
	flags.IntVar(&o.width, "width", 0, "how many `COLUMNS` wide to print; by default as wide as the terminal")
	flags.Var(&o.memory, "memory", "about how much memory the traces take, in `BYTES`, or in KiB, MiB or GiB; the oldest are left out")
	if err := parse(flags, args, printUsage, out); err != nil {
		return o, err
	}
	o.files = flags.Args()
	o.trace = strings.ToLower(o.trace)
	switch {
	case len(o.files) == 0:
		return o, usagef("print needs a FILE, or - for the standard input")
	case !isHexadecimal(o.trace):
		return o, usagef("-trace %q is not an ID", o.trace)
	case o.memory < leastMemory:
		return o, usagef("-memory %v is less than %v", o.memory.text(), leastMemory.text())
	case o.width < 0:
		return o, usagef("-width %d is negative", o.width)
	}
	return o, checkFiles(o.files)
}

func isHexadecimal(s string) bool {
	_, err := hex.DecodeString(s + strings.Repeat("0", len(s)%2))
	return err == nil && len(s) <= 32
}

// printTraces prints the trace in files, or a list of them.
func printTraces(ctx context.Context, args []string, s streams) error {
	o, err := parsePrint(args, s.out)
	if err != nil {
		return err
	}
	store := traces.New(traces.Config{Bytes: int(o.memory)})
	err = load(ctx, o.files, s, func(spans []sdktrace.ReadOnlySpan) {
		for _, span := range spans {
			if strings.HasPrefix(span.SpanContext().TraceID().String(), o.trace) {
				store.Add(span)
			}
		}
	})
	if err != nil {
		return err
	}
	found, more := store.Find(traces.Filter{Limit: maxListed})
	switch {
	case len(found) == 0:
		return fmt.Errorf("there is no trace %s", o.trace)
	case len(found) > 1:
		return list(s.out, found, more, store.Totals().ForgottenTraces)
	}
	kept, _ := store.Trace(found[0].ID)
	columns, isTerminal := terminal(s.out)
	if o.width > 0 {
		columns = o.width
	}
	return text.Write(s.out, kept.ID, kept.Spans, text.Options{
		Colour: isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Width:  columns, LeftOut: kept.LeftOut,
	})
}

// terminal returns how many columns out has, and whether it is a terminal.
func terminal(out io.Writer) (columns int, isTerminal bool) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		columns = 0
	}
	return columns, true
}

// Columns of the list.
const (
	nameColumns    = 40
	serviceColumns = 20
)

// list prints one line for each trace.
func list(out io.Writer, found []traces.Summary, more bool, forgotten uint64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s  %-23s  %9s  %6s  %6s  %s  %s\n",
		"trace", "start", "duration", "spans", "errors", pad("service", serviceColumns), "name")
	for _, t := range found {
		fmt.Fprintf(&b, "%s  %-23s  %9s  %6d  %6d  %s  %s\n", t.ID, t.Start.Local().Format("2006-01-02 15:04:05.000"),
			plain.Duration(t.Duration), t.Spans, t.Errors, pad(t.Service, serviceColumns), plain.Name(t.Name, nameColumns))
	}
	if more {
		fmt.Fprintf(&b, "There are more than these %d.\n", len(found))
	}
	if forgotten > 0 {
		fmt.Fprintf(&b, "%d more were left out, because they take more memory than -memory allows.\n", forgotten)
	}
	b.WriteString("Print one of them with -trace ID. The beginning of the ID will do.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// pad returns what fits of s, with spaces behind it up to so many columns.
func pad(s string, columns int) string {
	s = plain.Fit(s, columns)
	return s + strings.Repeat(" ", max(0, columns-plain.Columns(s)))
}
