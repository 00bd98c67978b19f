// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command logs writes log lines in the handling of a sampled, an untraced and an
// unsampled message, and of a message to a process. It writes them once with a plain handler
// of log/slog and once over OpenTelemetry's bridge. A line has the IDs of its trace, or none,
// and the process that wrote it.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

// Order is a message.
type Order struct{ ID int }

func run(ctx context.Context, out io.Writer) error {
	spans := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(onlyPaid{})))
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(printer{out})))
	plain := written(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))

	for _, logger := range []*slog.Logger{plain, bridged(logs)} {
		if err := handle(ctx, spans, logger); err != nil {
			return err
		}
		if err := process(ctx, spans, logger); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if err := logs.Shutdown(ctx); err != nil {
		return err
	}
	return spans.Shutdown(ctx)
}

// handle sends three messages over a channel, and logs what arrives.
func handle(ctx context.Context, provider trace.TracerProvider, logger *slog.Logger) error {
	orders := make(chan envelope.Envelope[Order], 3)
	tracer := provider.Tracer("orders")
	sampled, one := tracer.Start(ctx, "pay")
	defer one.End()
	unsampled, two := tracer.Start(ctx, "look")
	defer two.End()

	logger.InfoContext(sampled, "sent", "order", 1)
	if err := envelope.Send(sampled, orders, Order{1}); err != nil {
		return err
	}
	logger.InfoContext(unsampled, "sent", "order", 2)
	if err := envelope.Send(unsampled, orders, Order{2}); err != nil { // Its trace stays behind.
		return err
	}
	logger.InfoContext(unsampled, "sent", "order", 3)
	// logs: carry
	err := envelope.Send(unsampled, orders, Order{3}, envelope.CarryPolicy{Unsampled: true})
	// logs: end
	if err != nil {
		return err
	}
	close(orders)

	received := envelope.Receive(ctx, orders, "process order", envelope.WithTracerProvider(provider))
	for ctx, order := range received {
		logger.InfoContext(ctx, "received", "order", order.ID)
	}
	return nil
}

// process sends a message to a process, which logs it.
func process(ctx context.Context, provider trace.TracerProvider, logger *slog.Logger) error {
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider))
	carts, err := mailbox.NewKind[Order](sys, "cart")
	if err != nil {
		return err
	}
	cart, err := carts.Spawn("ada", func(ctx context.Context, order Order) error {
		logger.InfoContext(ctx, "put into the cart", "order", order.ID)
		return nil
	})
	if err != nil {
		return err
	}
	sampled, span := provider.Tracer("orders").Start(ctx, "pay")
	defer span.End()
	if err := cart.Send(sampled, Order{4}); err != nil {
		return err
	}
	return sys.Shutdown(ctx)
}

// onlyPaid is a sampler.
type onlyPaid struct{}

func (onlyPaid) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Name == "pay" {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

func (onlyPaid) Description() string { return "onlyPaid" }

// withoutTime leaves the time out of lines, because each run has another.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// printer is an exporter that prints what a backend would get.
type printer struct{ out io.Writer }

func (p printer) Export(_ context.Context, records []sdklog.Record) error {
	var err error
	for _, r := range records {
		trace := "no trace"
		if r.TraceID().IsValid() {
			trace = "trace " + r.TraceID().String()
		}
		r.WalkAttributes(func(a attribute.KeyValue) bool {
			if strings.HasPrefix(string(a.Key), "waybill.process.") {
				trace += fmt.Sprintf(", %s %s", a.Key, a.Value.AsString())
			}
			return true
		})
		_, failed := fmt.Fprintf(p.out, "OpenTelemetry's record %q: %s\n", r.Body().AsString(), trace)
		err = cmp.Or(err, failed)
	}
	return err
}

func (printer) Shutdown(context.Context) error   { return nil }
func (printer) ForceFlush(context.Context) error { return nil }
