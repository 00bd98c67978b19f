// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command exec starts another program inside a trace, and the other program goes on in
// that trace. The trace travels in environment variables, as the specification of
// OpenTelemetry says. The program starts itself three times: in a sampled trace, in an
// unsampled one, and in none.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"go.opentelemetry.io/contrib/propagators/envcar"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// child is the argument with which this program is the one that is started.
const child = "resize"

func main() {
	run := parent
	if len(os.Args) == 2 && os.Args[1] == child {
		run = resize
	}
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "exec:", err)
		os.Exit(1)
	}
}

// propagator is what both programs have.
var propagator = propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{})

func parent(ctx context.Context, out io.Writer) error {
	provider := newProvider(out, "parent")
	tracer := provider.Tracer("github.com/waybill-go/waybill/examples/exec")

	sampled, span := tracer.Start(ctx, "make thumbnail")
	fmt.Fprintln(out, "parent: starts a program in trace", span.SpanContext().TraceID())
	if err := start(sampled, out); err != nil {
		return err
	}
	span.End()

	unsampled := trace.ContextWithSpanContext(ctx, span.SpanContext().WithTraceFlags(0))
	fmt.Fprintln(out, "parent: starts one in an unsampled trace")
	if err := start(unsampled, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "parent: starts one in no trace")
	if err := start(ctx, out); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

// start runs the other program, with the trace of ctx, and waits for its end.
func start(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// propagation: start
	cmd := exec.CommandContext(ctx, self, child)
	cmd.Env = os.Environ()
	propagator.Inject(ctx, &envcar.Carrier{ // of go.opentelemetry.io/contrib/propagators/envcar
		SetEnvFunc: func(key, value string) { cmd.Env = append(cmd.Env, key+"="+value) },
	})
	// propagation: end
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}

// resize is the main function of the program that is started.
func resize(ctx context.Context, out io.Writer) error {
	provider := newProvider(out, "child")
	// propagation: started
	ctx = propagator.Extract(ctx, &envcar.Carrier{})
	// propagation: end
	_, span := provider.Tracer("github.com/waybill-go/waybill/examples/exec").Start(ctx, "resize")
	span.End()
	return provider.Shutdown(context.WithoutCancel(ctx)) // Or its spans are lost with it.
}

// newProvider returns a provider that prints the spans. A real program exports them.
func newProvider(out io.Writer, program string) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(printer{out, program}))
}

type printer struct {
	out     io.Writer
	program string
}

func (p printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, span := range spans {
		below := "a root"
		if span.Parent().IsValid() {
			below = "below span " + span.Parent().SpanID().String()
		}
		sc := span.SpanContext()
		_, err := fmt.Fprintf(p.out, "%s: span %s %q in trace %s, %s\n", p.program, sc.SpanID(), span.Name(), sc.TraceID(), below)
		if err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }
