// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// Defaults of the flags.
const (
	defaultGRPC   = "localhost:4317"
	defaultHTTP   = "localhost:4318"
	defaultPage   = "localhost:4319"
	freePage      = "localhost:0"
	defaultMemory = byteSize(64 << 20)
	leastMemory   = byteSize(1 << 20)
)

// viewOptions are the flags and arguments of a viewer that serves the page.
type viewOptions struct {
	grpc, http string // addresses; empty for none
	page       string
	pageGiven  bool // if not, another port will do
	memory     byteSize
	save       string // a file's name; empty for none
	files      []string
}

const viewUsage = `Usage: waybill-viewer [flags] [FILE...]
       waybill-viewer print [-trace ID] FILE...

Shows the traces of any services that export them over OTLP: start it, set
OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 for those that export over gRPC, or
http://localhost:4318 for those that export over HTTP, and open the page that it prints.

With files it shows the traces that are in them, and receives nothing unless -grpc or -http
is given. The files are OTLP in JSON, one object or one a line, as the console's download and
the collector's file exporter write them; - is the standard input.

"waybill-viewer print" prints them in the terminal.

Flags:
`

// parseView reads the command line of a viewer. If it asks for help, parseView writes that to
// out and returns flag.ErrHelp.
func parseView(args []string, out io.Writer) (viewOptions, error) {
	o := viewOptions{memory: defaultMemory}
	flags := flag.NewFlagSet("waybill-viewer", flag.ContinueOnError)
	flags.StringVar(&o.grpc, "grpc", defaultGRPC, "the `HOST:PORT` that takes OTLP over gRPC; empty for none")
	flags.StringVar(&o.http, "http", defaultHTTP, "the `HOST:PORT` that takes OTLP over HTTP; empty for none")
	flags.StringVar(&o.page, "addr", defaultPage, "the `HOST:PORT` of the page; another port, if that of the default is taken")
	flags.Var(&o.memory, "memory", "about how much memory the traces take that are kept, in `BYTES`, or in KiB, MiB or GiB")
	flags.StringVar(&o.save, "save", "", "the `FILE` to write everything to that is shown; it is complete when the viewer ends")
	if err := parse(flags, args, viewUsage, out); err != nil {
		return o, err
	}
	o.files = flags.Args()
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.pageGiven = given["addr"]
	if len(o.files) > 0 {
		if !given["grpc"] {
			o.grpc = ""
		}
		if !given["http"] {
			o.http = ""
		}
	}
	err := o.check()
	return o, err
}

func (o *viewOptions) check() error {
	switch {
	case o.memory < leastMemory:
		return usagef("-memory %v is less than %v", o.memory.text(), leastMemory.text())
	case o.page == "":
		return usagef("-addr is empty")
	case len(o.files) == 0 && o.grpc == "" && o.http == "":
		return usagef("there is nothing to show: no file, and nothing to receive")
	}
	return checkFiles(o.files)
}

// checkFiles returns an error if a file is not there, or if the standard input would be read
// twice.
func checkFiles(names []string) error {
	stdin := 0
	for _, name := range names {
		if name == "-" {
			stdin++
			continue
		}
		switch info, err := os.Stat(name); {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("there is no file %s", name)
		case err != nil:
			return err
		case info.IsDir():
			return fmt.Errorf("%s is a directory", name)
		}
	}
	if stdin > 1 {
		return usagef("- is given twice")
	}
	return nil
}

// parse reads args. Its errors are usage errors.
func parse(flags *flag.FlagSet, args []string, usage string, out io.Writer) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError{err}
	}
	return nil
}

// byteSize is a number of bytes as a flag.
type byteSize int

var units = []struct {
	name  string
	bytes float64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// String implements flag.Value.
func (b *byteSize) String() string { return b.text() }

func (b byteSize) text() string {
	for _, unit := range units {
		if n := float64(b) / unit.bytes; n >= 1 && n == math.Trunc(n) {
			return strconv.FormatFloat(n, 'f', -1, 64) + " " + unit.name
		}
	}
	return "0 B"
}

// Set implements flag.Value.
func (b *byteSize) Set(s string) error {
	for _, unit := range units {
		number, found := strings.CutSuffix(s, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(n) || n < 0 || n*unit.bytes > math.MaxInt/2 {
			break
		}
		*b = byteSize(n * unit.bytes)
		return nil
	}
	return errors.New("it is not a number of bytes such as 64MiB")
}
