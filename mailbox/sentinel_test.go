// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// What users start below the handling of an untraced message depends on their
// sampler, and is never one trace for all messages. The global provider is set
// after the system was made, as programs do.
func TestSpansBelowUntracedMessagesDoNotShareATrace(t *testing.T) {
	const messages = 1000
	for name, c := range map[string]struct {
		sampler sdktrace.Sampler
		traces  int
	}{
		"always":             {sdktrace.AlwaysSample(), messages},
		"parent-based":       {sdktrace.ParentBased(sdktrace.AlwaysSample()), 0},
		"ratio":              {sdktrace.TraceIDRatioBased(0.99), 0},
		"parent-based ratio": {sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := otel.GetTracerProvider()
			defer otel.SetTracerProvider(before)
			sys := mailbox.NewSystem()
			jobs, err := mailbox.Spawn(sys, "job", func(ctx context.Context, _ int) error {
				tracer := otel.Tracer("db")
				ctx, span := tracer.Start(ctx, "SELECT")
				_, child := tracer.Start(ctx, "fetch")
				child.End()
				span.End()
				return nil
			})
			require.NoError(t, err)
			exporter := tracetest.NewInMemoryExporter()
			otel.SetTracerProvider(sdktrace.NewTracerProvider(
				sdktrace.WithSyncer(exporter), sdktrace.WithSampler(c.sampler)))
			for i := range messages {
				require.NoError(t, jobs.Send(context.Background(), i))
			}
			require.NoError(t, sys.Shutdown(context.Background()))

			traces := make(map[trace.TraceID]int)
			for _, s := range exporter.GetSpans() {
				traces[s.SpanContext.TraceID()]++
			}
			assert.Len(t, traces, c.traces)
			for _, spans := range traces {
				assert.Equal(t, 2, spans)
			}
		})
	}
}
