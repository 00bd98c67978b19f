// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/grpcheaders"
	"github.com/waybill-go/waybill/propagate/internal/w3c"
)

// Cases that OTel's own propagator fails behind otelhttp.
var beyondOTel = []string{
	"test_traceparent_duplicated",
	"test_tracestate_duplicated_keys",
	"test_tracestate_empty_header",
	"test_tracestate_key_illegal_vendor_format",
	"test_tracestate_key_length_limit",
	"test_tracestate_member_count_limit",
	"test_tracestate_multiple_headers_different_keys",
}

// failures returns the names of the cases that run finds something wrong with.
func failures(t *testing.T, run func(w3c.Case) error) []string {
	t.Helper()
	cases := w3c.Cases()
	require.Len(t, cases, 41)
	failed := []string{}
	for _, c := range cases {
		if err := run(c); err != nil {
			t.Logf("%s: %v", c.Name, err)
			failed = append(failed, c.Name)
		}
	}
	return failed
}

// A service built with otelhttp passes all cases with our propagator, and those
// alone fail with OTel's that are known to.
func TestW3COverHTTP(t *testing.T) {
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		fails      []string
	}{
		"ours":          {propagate.TraceContext{}, nil},
		"ours, baggage": {propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{}), nil},
		"OTel's":        {propagation.TraceContext{}, beyondOTel},
	} {
		t.Run(name, func(t *testing.T) {
			harness := w3c.NewHarness()
			defer harness.Close()
			addr := httpService(t, newSite(t, tt.propagator), harness.URL())
			failed := failures(t, func(c w3c.Case) error { return harness.Run(t.Context(), addr, c) })
			assert.ElementsMatch(t, tt.fails, failed)
		})
	}
}

// httpService starts a service that calls target as often as it is asked to.
func httpService(t *testing.T, s *site, target string) string {
	t.Helper()
	options := []otelhttp.Option{otelhttp.WithTracerProvider(s.provider), otelhttp.WithPropagators(s.propagator)}
	transport := &http.Transport{}
	client := &http.Client{Transport: otelhttp.NewTransport(transport, options...)}
	call := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range w3c.Calls(r) {
			if err := call(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
	})
	server := httptest.NewServer(otelhttp.NewHandler(handler, "serve", options...))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.Listener.Addr().String()
}

// Behind otelgrpc, which hides repetition, the cases of repeated headers fail
// unless the handler that joins them stands in front. And one case fails whatever
// the service does: the client of grpc-go refuses to send metadata with a tab in
// it. From a client that does send it, the service takes it.
func TestW3COverGRPC(t *testing.T) {
	asItIs := func(next stats.Handler) stats.Handler { return next }
	const unsendable = "test_tracestate_ows_handling"
	for name, tt := range map[string]struct {
		front  func(stats.Handler) stats.Handler
		client func(t *testing.T, target string) checker
		fails  []string
	}{
		"joined":                      {grpcheaders.ServerHandler, throughGRPC, []string{unsendable}},
		"joined, of another's client": {grpcheaders.ServerHandler, throughHTTP2, nil},
		"as it is": {asItIs, throughGRPC, []string{
			unsendable,
			"test_traceparent_duplicated",
			"test_tracestate_empty_header",
			"test_tracestate_key_length_limit",
			"test_tracestate_member_count_limit",
			"test_tracestate_multiple_headers_different_keys",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			service, sent := grpcService(t, newSite(t, propagate.TraceContext{}), tt.front)
			check := tt.client(t, service)
			assert.ElementsMatch(t, tt.fails, failures(t, func(c w3c.Case) error {
				return runGRPC(t.Context(), check, sent, c)
			}))
		})
	}
}

// grpcService starts a service that makes as many calls as the name says that it
// is asked about. It returns its address, and what it sent with these calls.
func grpcService(t *testing.T, s *site, front func(stats.Handler) stats.Handler) (string, chan w3c.Sent) {
	t.Helper()
	options := []otelgrpc.Option{otelgrpc.WithTracerProvider(s.provider), otelgrpc.WithPropagators(s.propagator)}
	sent := make(chan w3c.Sent, 16)
	target := serveGRPC(t, silent{}, func(ctx context.Context, _ string) {
		md, _ := metadata.FromIncomingContext(ctx)
		sent <- w3c.Sent{Traceparent: md["traceparent"], Tracestate: md["tracestate"]}
	})
	onward := dialGRPC(t, target, grpc.WithStatsHandler(otelgrpc.NewClientHandler(options...)))
	service := serveGRPC(t, front(otelgrpc.NewServerHandler(options...)), func(ctx context.Context, calls string) {
		n, err := strconv.Atoi(calls)
		assert.NoError(t, err)
		for range n {
			_, err := onward.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			assert.NoError(t, err)
		}
	})
	return service, sent
}

// checker asks a service to make calls, in a request with these headers.
type checker func(ctx context.Context, calls int, headers []w3c.Header) error

// runGRPC sends the requests of a case, and returns what is wrong with what the
// service sent.
func runGRPC(ctx context.Context, check checker, sent chan w3c.Sent, c w3c.Case) error {
	var failures []error
	for i, r := range c.Requests {
		headers := slices.Clone(r.Headers)
		for i := range headers { // HTTP/2 has no space around a value: RFC 9113, section 8.2.1.
			headers[i].Value = strings.Trim(headers[i].Value, " \t")
		}
		if err := check(ctx, r.Calls, headers); err != nil {
			return err
		}
		var got []w3c.Sent
		for range len(sent) {
			got = append(got, <-sent)
		}
		if err := r.Check(got); err != nil {
			failures = append(failures, fmt.Errorf("request %d: %w", i+1, err))
		}
	}
	return errors.Join(failures...)
}

// throughGRPC is the client of grpc-go.
func throughGRPC(t *testing.T, target string) checker {
	t.Helper()
	client := dialGRPC(t, target)
	return func(ctx context.Context, calls int, headers []w3c.Header) error {
		for _, h := range headers {
			ctx = metadata.AppendToOutgoingContext(ctx, h.Name, h.Value)
		}
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: strconv.Itoa(calls)})
		return err
	}
}

// throughHTTP2 calls the same method as gRPC by means of net/http alone, which
// lets all that HTTP allows be sent.
func throughHTTP2(t *testing.T, target string) checker {
	t.Helper()
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return func(ctx context.Context, calls int, headers []w3c.Header) error {
		message, err := proto.Marshal(&grpc_health_v1.HealthCheckRequest{Service: strconv.Itoa(calls)})
		if err != nil {
			return err
		}
		// A frame: not compressed, the length in four bytes, the message.
		body := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost,
			"http://"+target+grpc_health_v1.Health_Check_FullMethodName, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("Te", "trailers")
		for _, h := range headers {
			request.Header.Add(h.Name, h.Value)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if got := response.Trailer.Get("Grpc-Status"); got != "0" {
			return fmt.Errorf("gRPC status %q %s", got, response.Trailer.Get("Grpc-Message"))
		}
		return nil
	}
}
