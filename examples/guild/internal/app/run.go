// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package app is the guild example as a whole: it starts the services, runs the
// load, reports, and serves on.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// Exit codes.
const (
	exitOK    = 0
	exitRun   = 1 // the run went wrong
	exitUsage = 2 // it could not start as asked: a wrong flag, a taken port
)

// What is kept of the spans: some for the page; all for a report, up to about 30,000,
// which is more than a run of 1,000 posts makes. Without a bound, those who post
// would decide how much memory we take.
var (
	keptForPage   = record.Limits{Traces: 500, Bytes: 16 << 20}
	keptForReport = record.Limits{Bytes: 20 << 20}
)

// exportTime bounds how long the last spans may take to the collector.
const exportTime = 5 * time.Second

// Main runs the example until it is done or ctx ends, and returns its exit code.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	c, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		fmt.Fprintf(errOut, "guild: %v (-h for help)\n", err)
		return exitUsage
	}
	r := &run{c: c, out: &locked{w: out}, errOut: &locked{w: errOut}}
	if err = r.start(ctx); err != nil {
		fmt.Fprintf(errOut, "guild: %v\n", err)
		return exitUsage
	}
	if err = errors.Join(r.work(ctx), r.finish(ctx)); err != nil {
		fmt.Fprintf(errOut, "guild: %v\n", err)
		return exitRun
	}
	return exitOK
}

// run is one run of the example.
type run struct {
	c           Config
	out, errOut io.Writer
	tel         *telemetry.Telemetry
	services    *services
	load        *postLoad
}

func (r *run) start(ctx context.Context) error {
	keep := keptForPage
	if r.c.Report != "" {
		keep = keptForReport
		if os.Getenv("GOGC") == "" { // Twice the spans would be too much of a heap.
			debug.SetGCPercent(50)
		}
	}
	if err := r.tryReport(); err != nil {
		return err
	}
	head := r.c.Sample
	if r.c.SampleEnv {
		head = 0 // It may depend on anything.
	}
	r.tel = telemetry.New(ctx, telemetry.Config{
		Recorder: record.New(keep), Sums: report.NewSums(sessions.Kind, head), Console: r.out, Warn: r.warn,
	})
	for _, line := range r.tel.Exporting() {
		fmt.Fprintln(r.out, line)
	}
	var err error
	r.services, err = start(ctx, r.c, r.tel, slog.New(slog.NewTextHandler(r.errOut, nil)))
	return err
}

// warn says what is no reason to end.
func (r *run) warn(text string) { fmt.Fprintf(r.errOut, "guild: warning: %s\n", text) }

// work does the run, reports, and serves on if asked to.
func (r *run) work(ctx context.Context) error {
	fmt.Fprintf(r.out, "chat API     http://%[1]s\nsessions     ws://%[1]s/ws?guild=1\noperators    http://%[2]s/tracing\n\n",
		r.services.apiAddr, r.services.opsAddr)
	var err error
	if r.load, err = newPostLoad(ctx, r.c, r.services, r.out); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.load.connect, r.load.post, r.settle} {
		if err := step(ctx); err != nil {
			return r.unlessOver(ctx, err)
		}
	}
	r.show()
	if r.c.Once {
		return nil
	}
	if err := r.writeReport(); err != nil {
		return err
	}
	r.invite()
	select {
	case <-ctx.Done():
		fmt.Fprintln(r.out, "\nshutting down")
		return nil
	case err := <-r.services.failed:
		return err
	}
}

// unlessOver drops the error of work that was interrupted, and says how far it
// had come.
func (r *run) unlessOver(ctx context.Context, err error) error {
	if context.Cause(ctx) == nil {
		return err
	}
	fmt.Fprintf(r.out, "\ninterrupted with %d of %d sessions connected and %d of %d posts stored\n",
		r.services.sessions.Connected(), r.c.Sessions, r.services.api.Posts(), r.c.Posts)
	return nil
}

// show prints what the run did: one trace, and what sampling saved.
func (r *run) show() {
	totals := r.tel.Sums.Finish()
	fmt.Fprintln(r.out)
	rec := r.tel.Recorder
	if ids := rec.Traces(); len(ids) > 0 {
		last := ids[len(ids)-1]
		_ = report.NewTrace(last, rec.Trace(last)).Waterfall(r.out) // A terminal that has gone does not matter.
		fmt.Fprintln(r.out)
	}
	fmt.Fprintln(r.out, totals.Fanouts)
	n := r.services.sessions.Stats()
	r.showLatency(totals, n.Slow)
	g := r.services.guilds.Stats()
	fmt.Fprintf(r.out, "guilds:   %d of %d in use, %d passivated, %d restarts\n", g.Processes, r.c.Guilds, g.Passivated, g.Restarts)
	fmt.Fprintf(r.out, "sessions: %d connected, %d messages accepted, %d handled, %d refused, %d dead letters\n",
		n.Processes, n.Accepted, n.Handled, n.Refused.Total(), n.DeadLetters.Total())
	fmt.Fprintln(r.out, r.load.summary())
}

// showLatency holds what the few spans of sessions say of all deliveries against
// the truth, which is that slowTruth of them were slow.
func (r *run) showLatency(totals report.Totals, slowTruth uint64) {
	l := &totals.Latency
	if l.Spans == 0 {
		return
	}
	if totals.Unobserved > 0 {
		fmt.Fprintf(r.out, "latency: not estimated, for there were %d spans too many\n", totals.Unobserved)
		return
	}
	truth := &r.services.sessions.Latency
	slow := l.Slow.Count()
	of := ""
	if r.c.SampleEnv {
		of = " of the posts that were traced"
	}
	fmt.Fprintf(r.out, "latency, estimated from %d spans of sessions%s, and counted:\n", l.Spans, of)
	fmt.Fprintf(r.out, "          slow deliveries  %s   %d\n", figure(slow.Value, slow.StdErr, ""), slowTruth)
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		e := l.All.Quantile(q.q)
		fmt.Fprintf(r.out, "          %-15s  %s   %.3f ms\n", q.name, figure(1e3*e.Value, 1e3*e.StdErr, " ms"),
			float64(truth.Quantile(q.q))/float64(time.Millisecond))
	}
}

// figure writes an estimate and its standard error.
func figure(value, stdErr float64, unit string) string {
	if math.IsInf(stdErr, 0) || math.IsNaN(stdErr) {
		return fmt.Sprintf("%8.4g ± ?%s", value, unit)
	}
	return fmt.Sprintf("%8.4g ± %.2g%s", value, stdErr, unit)
}

// invite says what a person can do now.
func (r *run) invite() {
	fmt.Fprintf(r.out, "\nchat at http://%[1]s, or:\n"+
		"  curl -d '{\"author\":\"me\",\"content\":\"hello\"}' http://%[1]s/guilds/1/messages\n"+
		"interrupt to stop\n", r.services.apiAddr)
}

func (r *run) summary() report.Summary {
	spans := r.tel.Recorder.Counts()
	deliveries := r.services.sessions.Tally.Counts()
	return report.Summary{
		Posts:        r.services.api.Posts(),
		Sessions:     r.services.sessions.Connected(),
		Delivered:    deliveries.Delivered,
		CaughtUp:     deliveries.CaughtUp,
		Gone:         deliveries.Gone,
		Behind:       deliveries.Behind,
		Spans:        spans.Spans,
		SpansLeftOut: spans.LeftOut,
	}
}

// traces makes the traces that are kept ready for the report, one after another.
func (r *run) traces() iter.Seq[report.Trace] {
	return func(yield func(report.Trace) bool) {
		for _, id := range r.tel.Recorder.Traces() {
			if t := report.NewTrace(id, r.tel.Recorder.Trace(id)); len(t.Spans) > 0 && !yield(t) {
				return
			}
		}
	}
}

// tryReport finds out before the run whether its report can be written.
func (r *run) tryReport() error {
	if r.c.Report == "" {
		return nil
	}
	if err := report.Try(r.c.Report); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

func (r *run) writeReport() error {
	if r.c.Report == "" {
		return nil
	}
	summary := r.summary()
	if n := summary.SpansLeftOut; n > 0 {
		fmt.Fprintf(r.out, "report: without %d of %d spans, to keep memory bounded\n", n, summary.Spans)
	}
	return report.Write(r.c.Report, summary, r.traces())
}

// finish ends everything that start started, and writes the report. After an
// interrupt it is no failure that some messages were still to be handled.
func (r *run) finish(ctx context.Context) error {
	left, err := r.services.shutdown()
	if left != nil && ctx.Err() == nil {
		err = errors.Join(err, left)
	} else if left != nil {
		fmt.Fprintf(r.out, "ended with work left: %v\n", left)
	}
	if r.load != nil { // Its clients went when they had got everything.
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		err = errors.Join(err, r.load.close(ctx))
		cancel()
	}
	err = errors.Join(err, r.writeReport())
	r.finishExports()
	return err
}

// finishExports exports what is left, and says what became of all spans. Those that
// were lost are no reason to fail.
func (r *run) finishExports() {
	ctx, cancel := context.WithTimeout(context.Background(), exportTime)
	defer cancel()
	if err := r.tel.Shutdown(ctx); err != nil {
		r.warn(telemetry.Printable(fmt.Sprintf("the last spans are not exported: %v", err)))
	}
	if e := r.tel.Exports(); e != (telemetry.Exports{}) {
		fmt.Fprintln(r.out, "export:", e)
	}
}

// locked is an output that several goroutines write to.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
