// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/envelope"
)

// TestRequestsForAnUnwrappedMessage: otelhttp takes its provider from the current span.
// The one that came with a sampled message leads it to the global provider, so that
// the requests made for the message are in its trace.
func TestRequestsForAnUnwrappedMessage(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	client := &http.Client{Transport: otelhttp.NewTransport(server.Client().Transport)}
	sender := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	for name, test := range map[string]struct {
		sc   trace.SpanContext
		want int
	}{
		"sampled": {sender, 1}, "unsampled": {sender.WithTraceFlags(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			recorder.Reset()
			message := envelope.Wrap(trace.ContextWithSpanContext(t.Context(), test.sc), server.URL)
			ctx, url := message.Unwrap(t.Context())
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
			require.NoError(t, err)
			response, err := client.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Len(t, recorder.Ended(), test.want)
			for _, span := range recorder.Ended() {
				assert.Equal(t, sender.SpanID(), span.Parent().SpanID())
			}
		})
	}
}
