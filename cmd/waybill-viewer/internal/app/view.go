// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/files"
	"github.com/waybill-go/waybill/internal/otlpreceive"
	"github.com/waybill-go/waybill/mailbox/console"
)

// viewer shows what it receives.
type viewer struct {
	streams
	options  viewOptions
	console  *console.Console
	receiver *otlpreceive.Receiver
	saver    *files.Saver // or nil
	printing sync.Mutex   // for what other goroutines print
}

// view serves the page until ctx ends.
func view(ctx context.Context, args []string, s streams) (err error) {
	options, err := parseView(args, s.out)
	if err != nil {
		return err
	}
	open, err := openAll(ctx, &options)
	if err != nil {
		return err
	}
	v := &viewer{streams: s, options: options, console: console.New(console.Config{
		Title: "waybill viewer", Bytes: int(options.memory), NoTraces: noTraces(open), TracesOnly: true,
	})}
	v.receiver = otlpreceive.New(v.take, v.println)
	if options.save != "" {
		if v.saver, err = files.Create(options.save); err != nil {
			return errors.Join(err, open.close())
		}
		defer func() { err = errors.Join(err, v.closeSaver()) }()
	}
	v.announce(open)
	return v.serve(ctx, open)
}

// take shows and saves spans.
func (v *viewer) take(spans []sdktrace.ReadOnlySpan) {
	for _, span := range spans {
		v.console.OnEnd(span)
	}
	if v.saver != nil {
		if err := v.saver.Save(spans); err != nil {
			v.println(fmt.Sprintf("-save: %v.", err))
		}
	}
}

// println prints a line.
func (v *viewer) println(line string) {
	v.printing.Lock()
	defer v.printing.Unlock()
	fmt.Fprintln(v.out, line)
}

// announce prints where everything is.
func (v *viewer) announce(open addresses) {
	fmt.Fprintf(v.out, "The traces are on http://%s/\n%s", open.page, endpoints(open))
	for _, exposed := range open.exposed() {
		fmt.Fprintf(v.err, "waybill-viewer: warning: other machines can reach %s, so anybody there can read traces or send some\n", exposed)
	}
}

// endpoints returns one line for each way in which services can export.
func endpoints(open addresses) string {
	lines := ""
	if grpc := open.grpc.String(); grpc != "" {
		lines += fmt.Sprintf("OTLP over gRPC: OTEL_EXPORTER_OTLP_ENDPOINT=http://%s\n", grpc)
	}
	if http := open.http.String(); http != "" {
		lines += fmt.Sprintf("OTLP over HTTP: OTEL_EXPORTER_OTLP_ENDPOINT=http://%s\n", http)
	}
	return lines
}

// noTraces returns what the page says while there are no traces.
func noTraces(open addresses) string {
	if lines := endpoints(open); lines != "" {
		return "Set this variable for your services:\n\n" + lines
	}
	return "The files are being read."
}

// closeSaver gives the file of -save its name.
func (v *viewer) closeSaver() error {
	if err := v.saver.Close(); err != nil {
		return fmt.Errorf("-save: %w", err)
	}
	v.println(fmt.Sprintf("%s written to %s.", spansText(v.saver.Spans()), v.options.save))
	return nil
}

// summary prints what was received.
func (v *viewer) summary() {
	counts := v.receiver.Counts()
	line := []string{"Received " + spansText(int(counts.Spans))}
	for _, more := range []struct {
		n    int64
		what string
	}{
		{counts.Mended, "of them put right"},
		{counts.Rejected, "more rejected"},
		{counts.Refused, "requests refused"},
		{counts.Metrics + counts.Logs + counts.Profiles, "requests with metrics, logs or profiles thrown away"},
	} {
		if more.n > 0 {
			line = append(line, fmt.Sprintf("%d %s", more.n, more.what))
		}
	}
	v.println(strings.Join(line, ", ") + ".")
}
