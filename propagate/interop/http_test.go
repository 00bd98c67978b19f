// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// openHTTP goes through otelhttp at both ends.
func openHTTP(t *testing.T, s *site) wire {
	options := []otelhttp.Option{otelhttp.WithTracerProvider(s.provider), otelhttp.WithPropagators(s.propagator)}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		s.arrive(r.Context(), string(body))
	})
	server := httptest.NewServer(otelhttp.NewHandler(handler, "serve", options...))
	t.Cleanup(server.Close)

	plain := server.Client()
	traced := &http.Client{Transport: otelhttp.NewTransport(plain.Transport, options...)}
	post := func(ctx context.Context, client *http.Client, body string, headers []pair) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(body))
		require.NoError(t, err)
		for _, h := range headers {
			request.Header.Add(h.key, h.value)
		}
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	return wire{
		send: func(ctx context.Context, body string) {
			post(ctx, traced, body, leftovers)
		},
		sendRaw: func(body string, headers ...pair) { post(t.Context(), plain, body, headers) },
	}
}
