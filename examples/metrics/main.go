// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command metrics is a small chat whose metrics Prometheus reads: guilds, the sessions of
// their members, and an archive behind a channel. One guild is slow, some posts fail, and
// some sessions cannot keep up, so that each panel of the dashboard has something to show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/sampling/sampler"
)

func main() {
	addr := flag.String("addr", "localhost:9464", "serve the metrics on `HOST:PORT`")
	length := flag.Duration("for", 0, "end after that `TIME`; 0 goes on until interrupted")
	flag.Parse()
	if err := runFor(*length, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func runFor(length time.Duration, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	return run(ctx, addr, os.Stdout)
}

// run chats and serves the metrics until ctx ends.
func run(ctx context.Context, addr string, out io.Writer) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	tracers, err := newTracers(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	meters, metrics, err := newMeters()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	chat, err := newChat(tracers, meters)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "metrics for Prometheus: http://%v/metrics\n", listener.Addr())

	chat.talk(ctx)

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(chat.end(end), server.Shutdown(end), tracers.Shutdown(end), meters.Shutdown(end))
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

// newTracers returns a provider that exports where OTEL_EXPORTER_OTLP_ENDPOINT says. Without
// that, traces are made and thrown away.
func newTracers(ctx context.Context) (*sdktrace.TracerProvider, error) {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sampler.Wrap(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.2)))),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("chat"))),
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, err
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	return sdktrace.NewTracerProvider(options...), nil
}
