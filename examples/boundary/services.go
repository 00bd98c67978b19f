// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// trusted is the propagator between our own services.
var trusted = propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{})

// newEdge returns the service that strangers reach. It answers with what the inner
// service answers.
func newEdge(inner string, client *http.Client, provider trace.TracerProvider, counters *propagate.Counters) http.Handler {
	forward := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, inner, http.NoBody)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response, err := client.Do(request)
		if err != nil {
			http.Error(w, "the inner service does not answer", http.StatusBadGateway)
			return
		}
		defer response.Body.Close() //nolint:errcheck // It is read below.
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, io.LimitReader(response.Body, maxAnswer))
	})
	mux := http.NewServeMux()
	mux.Handle("GET /hello", protect(forward, provider, counters))
	return mux
}

// protect returns handler behind a boundary. The boundary links a new trace to the
// stranger's, lets one key of baggage in, and counts what it does.
func protect(handler http.Handler, provider trace.TracerProvider, counters *propagate.Counters) http.Handler {
	// propagation: boundary
	boundary := propagate.Boundary{
		Policy: propagate.Link,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{Counters: counters},
			propagate.Baggage{Allow: []string{"tenant"}, MaxBytes: 1024, Counters: counters},
		),
		Counters: counters,
	}
	handler = otelhttp.NewHandler(handler, "edge",
		otelhttp.WithPropagators(boundary),
		otelhttp.WithTracerProvider(boundary.TracerProvider(provider)))
	// propagation: end
	return handler
}

// newInner returns a service that only our own services reach. It continues their
// traces, and answers with the headers that it got.
func newInner(provider trace.TracerProvider) http.Handler {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := make(map[string]string)
		for _, header := range headers {
			got[header] = r.Header.Get(header)
		}
		_ = json.NewEncoder(w).Encode(got)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /headers", otelhttp.NewHandler(show, "",
		otelhttp.WithPropagators(trusted), otelhttp.WithTracerProvider(provider)))
	return mux
}

// newClient returns what the edge calls the inner service with.
func newClient(provider trace.TracerProvider) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: otelhttp.NewTransport(newTransport(),
			otelhttp.WithPropagators(trusted), otelhttp.WithTracerProvider(provider)),
	}
}

// newTransport keeps no connection open, because each of them serves one request here.
func newTransport() *http.Transport { return &http.Transport{DisableKeepAlives: true} }

// Bounds of what a request and its answer may take.
const (
	timeout   = 10 * time.Second
	maxHeader = 16 << 10 // bytes
	maxAnswer = 16 << 10 // bytes
)

// serve answers with h on a free port of this machine, and returns its address.
func serve(ctx context.Context, h http.Handler) (*http.Server, string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout,
		MaxHeaderBytes: maxHeader,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("a service ended", "error", err)
		}
	}()
	return server, "http://" + listener.Addr().String(), nil
}
