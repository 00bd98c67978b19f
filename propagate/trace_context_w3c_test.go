// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/propagate/internal/w3c"
)

// service starts a server that makes as many requests to target as it is asked
// for, with a span for each and one for all. It returns its address.
func service(t *testing.T, p propagation.TextMapPropagator, target string) string {
	t.Helper()
	provider := sdktrace.NewTracerProvider()
	tracer := provider.Tracer("test")
	transport := &http.Transport{}
	call := func(ctx context.Context) error {
		ctx, span := tracer.Start(ctx, "call", trace.WithSpanKind(trace.SpanKindClient))
		defer span.End()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, http.NoBody)
		if err != nil {
			return err
		}
		p.Inject(ctx, propagation.HeaderCarrier(request.Header))
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(p.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), "serve",
			trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		for range w3c.Calls(r) {
			if err := call(ctx); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
		assert.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context())))
	})
	return server.Listener.Addr().String()
}

func TestW3C(t *testing.T) {
	harness := w3c.NewHarness()
	defer harness.Close()
	for name, p := range map[string]propagation.TextMapPropagator{
		"alone":        propagate.TraceContext{Counters: &propagate.Counters{}},
		"with baggage": propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagation.Baggage{}),
	} {
		addr := service(t, p, harness.URL())
		for _, c := range w3c.Cases() {
			t.Run(name+"/"+c.Name, func(t *testing.T) { assert.NoError(t, harness.Run(t.Context(), addr, c)) })
		}
	}
}

// The table has to find the faults that OTel's propagator is known to have, and
// no others.
func TestW3CFindsWhatOTelLacks(t *testing.T) {
	harness := w3c.NewHarness()
	defer harness.Close()
	addr := service(t, propagation.TraceContext{}, harness.URL())
	var failed []string
	for _, c := range w3c.Cases() {
		if harness.Run(t.Context(), addr, c) != nil {
			failed = append(failed, c.Name)
		}
	}
	assert.ElementsMatch(t, []string{
		"test_traceparent_duplicated",
		"test_tracestate_duplicated_keys",
		"test_tracestate_empty_header",
		"test_tracestate_key_illegal_vendor_format",
		"test_tracestate_key_length_limit",
		"test_tracestate_member_count_limit",
		"test_tracestate_multiple_headers_different_keys",
	}, failed)
}

func TestW3CHasEachCaseOnce(t *testing.T) {
	names := map[string]bool{}
	for _, c := range w3c.Cases() {
		names[c.Name] = true
		require.NotEmpty(t, c.Requests, c.Name)
		for _, r := range c.Requests {
			require.Positive(t, r.Calls, c.Name)
		}
	}
	assert.Len(t, names, 41)
	assert.Len(t, w3c.Cases(), 41)
}
