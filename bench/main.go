// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures waybill beside the alternatives: plain goroutines with
// channels, and OpenTelemetry by hand in every message.
//
//	go run ./bench -quick
//
// All variants of a row are set up side by side. In each round they run one after the
// other in random order, each for a batch of about 30 ms. So if the machine becomes
// slower or faster, all of them do. Where the cost of a variant depends on the luck of its
// set-up, as in the rows of a hub or a stream, it is set up alone and anew in each round. A
// figure is the median over the rounds, unless it is called the worst. A ratio is the
// median of the ratios within each round. The run fails unless every message is handled
// and every expected span is made.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// options holds the values of the flags.
type options struct {
	quick  bool
	json   string
	rounds int
	rows   []row
	plan   roundPlan
}

const (
	minRounds     = 6
	defaultRounds = 21
)

func run(args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage())
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "bench: %v (-h explains)\n", err)
		return exitUsage
	}
	if err := opts.measure(stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	return 0
}

func flagSet(o *options, pattern *string) *flag.FlagSet {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.quick, "quick", false, "measure the main rows only, in about half a minute")
	flags.StringVar(&o.json, "json", "", "write the figures to `FILE` too, as JSON")
	flags.StringVar(pattern, "run", "", "measure only the rows whose name matches `REGEXP`")
	flags.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf(
		"count exactly `N` rounds of each row, at least %d (default: %d, fewer where rounds take long)",
		minRounds, defaultRounds))
	return flags
}

func parse(args []string) (options, error) {
	var o options
	var pattern string
	flags := flagSet(&o, &pattern)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds != 0 && o.rounds < minRounds {
		return o, fmt.Errorf("-rounds %d is below %d", o.rounds, minRounds)
	}
	selected, err := regexp.Compile(pattern)
	if err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	var names []string
	for _, r := range allRows() {
		if o.quick && !r.main {
			continue
		}
		names = append(names, r.name)
		if selected.MatchString(r.name) {
			o.rows = append(o.rows, r)
		}
	}
	if len(o.rows) == 0 {
		return o, fmt.Errorf("-run %q matches none of %s", pattern, strings.Join(names, ", "))
	}
	o.plan = o.newPlan()
	return o, nil
}

func usage() string {
	var text strings.Builder
	text.WriteString("Measures waybill beside goroutines with channels and OpenTelemetry by hand.\n\n" +
		"Usage: go run ./bench [flags]\n\n")
	var o options
	var pattern string
	flags := flagSet(&o, &pattern)
	flags.SetOutput(&text)
	flags.PrintDefaults()
	text.WriteString("\nRows (* with -quick):\n")
	for _, r := range allRows() {
		mark := " "
		if r.main {
			mark = "*"
		}
		fmt.Fprintf(&text, "%s %-15s %s\n", mark, r.name, r.about)
	}
	return text.String()
}

// newPlan returns how long to measure. With -quick, the allowance keeps the run within
// half a minute even on a slow machine.
func (o options) newPlan() roundPlan {
	p := roundPlan{rounds: defaultRounds, least: minRounds, batch: 30 * time.Millisecond, stall: time.Minute}
	switch {
	case o.rounds > 0:
		p.rounds, p.least = o.rounds, o.rounds
	case o.quick:
		p.allowance = 7 * time.Second
	default:
		p.allowance = 30 * time.Second
	}
	return p
}

// measure measures the rows, and prints each one when it is done.
func (o options) measure(stdout io.Writer) error {
	h := thisHost()
	var file *os.File
	if o.json != "" { // Create it before the work, so that a wrong name is found at once.
		var err error
		if file, err = os.Create(o.json); err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // Closed below where that matters.
	}
	t := table{w: stdout}
	t.heading(h)
	results := make([]result, 0, len(o.rows))
	for _, r := range o.rows {
		res, err := o.plan.measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		t.row(res)
		results = append(results, res)
	}
	t.ratios(results)
	if t.err != nil || file == nil {
		return t.err
	}
	return errors.Join(newReport(h, results).write(file), file.Close())
}
