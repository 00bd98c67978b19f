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
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/internal/traces/text"
)

// Exit codes.
const (
	exitOK    = 0
	exitRun   = 1 // the run went wrong
	exitUsage = 2 // it could not start as asked: a wrong flag, a taken port
)

// exportTime bounds how long the last spans may take to the collector.
const exportTime = 5 * time.Second

// Main runs the example until it is done or ctx ends, and returns its exit code. It writes
// nothing after it has returned.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	c, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		fmt.Fprintf(errOut, "guild: %v (-h for help)\n", err)
		return exitUsage
	}
	look := report.Look(out)
	lockedOut, lockedErr := &locked{w: out}, &locked{w: errOut}
	defer lockedOut.close() // Those who log may come to it later.
	defer lockedErr.close()
	out, errOut = lockedOut, lockedErr
	r := &run{c: c, look: look, out: out, errOut: errOut}
	if err = r.start(ctx); err != nil && ctx.Err() != nil {
		fmt.Fprintln(out, "interrupted before it had begun")
		return exitOK
	} else if err != nil {
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
	look        text.Options // of the trace that is shown
	spans       *record.Recorder
	sums        *report.Sums
	insight     *insight
	tel         *telemetry.Telemetry
	services    *services
	receiver    *telemetry.Receiver // of the spans of session nodes; nil if there are none
	ledger      *load.Ledger
	load        *postLoad
}

func (r *run) start(ctx context.Context) (err error) {
	keep := traces.Config{Bytes: runBytes}
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
	log := slog.New(slog.NewTextHandler(r.errOut, nil))
	if r.insight, err = newInsight(r.c, log); err != nil {
		return err
	}
	r.spans, r.sums = record.New(keep), report.NewSums(sessions.Kind, head)
	about := telemetry.Config{
		Processors: []sdktrace.SpanProcessor{r.insight.console, r.sums, r.spans}, Terminal: r.out, Warn: r.warn,
	}
	if r.c.Nodes > 0 {
		about.Resource = nodes.Resource(0)
	}
	r.tel = telemetry.New(ctx, about)
	for _, line := range r.tel.Exporting() {
		fmt.Fprintln(r.out, line)
	}
	if err := r.insight.measure(ctx, r.tel); err != nil {
		return err
	}
	if r.services, err = start(ctx, r.c, r.tel, r.insight, log); err != nil {
		return err
	}
	r.ledger = load.NewLedger(r.c.Guilds)
	if err = r.spread(ctx, log); err != nil {
		_, _ = r.services.shutdown() // The first error says more.
	}
	return err
}

// warn says what is no reason to end.
func (r *run) warn(text string) { fmt.Fprintf(r.errOut, "guild: warning: %s\n", text) }

// work does the run, reports, and serves on if asked to.
func (r *run) work(ctx context.Context) error {
	at := r.services.opsAddr
	if r.c.local() { // Then all is at one address.
		at = r.services.apiAddr
	}
	fmt.Fprintf(r.out, "chat API     http://%[1]s\nsessions     ws://%[1]s/ws?guild=1\n"+
		"operators    http://%[2]s/tracing\nconsole      http://%[3]s/console/\n\n",
		r.services.apiAddr, r.services.opsAddr, at)
	var err error
	if r.load, err = newPostLoad(ctx, r.c, r.services, r.ledger, r.out); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.load.connect, r.load.post, r.settle} {
		if err := step(ctx); err != nil {
			return r.unlessOver(ctx, err)
		}
	}
	r.show()
	if r.c.Report == "" {
		r.spans.Forget() // The console has its own.
	}
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
		r.services.total().Connected, r.c.Sessions, r.services.api.Posts(), r.c.Posts)
	return nil
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
	return report.Write(r.c.Report, summary, reported(r.spans))
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
	if r.receiver != nil {
		r.receiver.Close()
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
	if fleet := r.services.fleet.Load(); fleet != nil {
		if e := fleet.State().Exports; e.Dropped+e.Failed > 0 {
			r.warn("of the spans of session nodes: " + e.String())
		}
	}
}

// locked is an output that several goroutines write to, until it is closed.
type locked struct {
	mu     sync.Mutex
	w      io.Writer
	closed bool
}

// Write implements io.Writer. After close it writes nothing.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(p), nil
	}
	return l.w.Write(p)
}

func (l *locked) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
