// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
)

// What other processes export to us is what they have made. Strangers do not get in.
func TestReceivedSpans(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // It is not asked.
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=nonsense")
	taken := make(chan []sdktrace.ReadOnlySpan, 1)
	receiver, err := telemetry.Receive(t.Context(), func(spans []sdktrace.ReadOnlySpan) { taken <- spans }, func(string) {})
	require.NoError(t, err)
	defer receiver.Close()
	collector := receiver.Collector()
	assert.Equal(t, telemetry.Exports{Exported: 1}, exportTo(t, collector))
	span := (<-taken)[0]
	assert.Equal(t, "work", span.Name())
	for key, want := range map[attribute.Key]string{semconv.ServiceNameKey: "session", semconv.ServiceInstanceIDKey: "node-7"} {
		got, _ := span.Resource().Set().Value(key)
		assert.Equal(t, want, got.AsString(), key)
	}
	collector.Token = "guessed"
	assert.Equal(t, telemetry.Exports{Failed: 1}, exportTo(t, collector))
	assert.Empty(t, taken)
}

// exportTo exports a span, and returns what became of it.
func exportTo(t *testing.T, collector telemetry.Collector) telemetry.Exports {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tel := telemetry.New(ctx, telemetry.Config{
		Resource:  []attribute.KeyValue{semconv.ServiceInstanceID("node-7")},
		Collector: &collector, Terminal: os.Stdout, Warn: func(string) {},
	})
	provider, err := tel.Provider(ctx, "session", sdktrace.AlwaysSample())
	require.NoError(t, err)
	_, span := provider.Tracer("test").Start(ctx, "work")
	span.End()
	_ = tel.Flush(ctx)
	exports := tel.Exports()
	require.NoError(t, tel.Shutdown(ctx))
	return exports
}
