// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// get sends a request whose headers p made from sc.
func get(t *testing.T, target string, p propagation.TextMapPropagator, sc trace.SpanContext, bag string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	require.NoError(t, err)
	p.Inject(contextWith(t, sc, bag), propagation.HeaderCarrier(request.Header))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestOverHTTP(t *testing.T) {
	p := sampledFirst()
	type seen struct {
		decision decision
		sc       trace.SpanContext
		bag      string
	}
	arrived := make(chan seen, 1)
	target := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		ctx := p.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		arrived <- seen{peekHeader(r.Header), trace.SpanContextFromContext(ctx), bagOf(ctx)}
	})

	sc := spanContext(t, trace.FlagsSampled, "a=1")
	get(t, target, p, sc, "user=alice")
	assert.Equal(t, seen{saysSampled, sc.WithRemote(true), "user=alice"}, <-arrived)

	get(t, target, p, spanContext(t, 0, "a=1"), "user=alice")
	assert.Equal(t, seen{saysUnsampled, spanContext(t, 0, "").WithRemote(true), ""}, <-arrived)

	get(t, target, p, trace.SpanContext{}, "user=alice")
	assert.Equal(t, seen{saysNothing, trace.SpanContext{}, "user=alice"}, <-arrived)
}

// A receiver that starts roots of its own takes a dropped context for none.
func TestDroppingMakesNewRootsBehindARatioSampler(t *testing.T) {
	for name, tt := range map[string]struct {
		sender propagate.SampledFirst
		spans  int
	}{
		"carried": {sampledFirst(), 0},
		"dropped": {dropUnsampled(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			recorded := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(
				sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(1))),
				sdktrace.WithSpanProcessor(recorded),
			)
			t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
			receiver := sampledFirst()
			target := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				ctx := receiver.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
				_, span := provider.Tracer("test").Start(ctx, "serve")
				span.End()
			})

			get(t, target, tt.sender, spanContext(t, 0, ""), "")
			ended := recorded.Ended()
			require.Len(t, ended, tt.spans)
			for _, span := range ended {
				assert.False(t, span.Parent().IsValid(), "a root")
				assert.NotEqual(t, traceID, span.SpanContext().TraceID().String())
				assert.True(t, span.SpanContext().IsSampled())
			}
		})
	}
}

// A reverse proxy hands the headers of its client on, unless they are replaced.
func TestReverseProxyHidesItsClientsHeaders(t *testing.T) {
	standard, _ := counting()
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		sc         trace.SpanContext
		want       string
	}{
		"dropped":             {dropUnsampled(), spanContext(t, 0, ""), ""},
		"carried":             {sampledFirst(), spanContext(t, 0, ""), unsampled},
		"no trace":            {sampledFirst(), trace.SpanContext{}, ""},
		"sampled":             {sampledFirst(), spanContext(t, 1, ""), sampled},
		"standard":            {standard, spanContext(t, 0, ""), unsampled},
		"standard, no trace":  {standard, trace.SpanContext{}, ""},
		"OTel's, for control": {otelPropagator, trace.SpanContext{}, stale},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan http.Header, 1)
			backend, err := url.Parse(serve(t, func(_ http.ResponseWriter, r *http.Request) { arrived <- r.Header.Clone() }))
			require.NoError(t, err)
			ctx := contextWith(t, tt.sc, "")
			proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(backend)
				tt.propagator.Inject(ctx, propagation.HeaderCarrier(r.Out.Header))
			}}
			client, err := propagate.ParseTraceparent(stale)
			require.NoError(t, err)
			state, err := trace.ParseTraceState("stale=1")
			require.NoError(t, err)

			get(t, serve(t, proxy.ServeHTTP), otelPropagator, client.WithTraceState(state), "stale=yes")
			header := <-arrived
			assert.Equal(t, tt.want, header.Get("Traceparent"))
			assert.Equal(t, tt.want == stale, header.Get("Tracestate") == "stale=1")
			if _, first := tt.propagator.(propagate.SampledFirst); first {
				assert.NotContains(t, header, "Baggage")
			}
		})
	}
}
