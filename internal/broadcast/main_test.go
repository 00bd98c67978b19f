// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package broadcast_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/header"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var sender = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 1}, TraceFlags: trace.FlagsSampled,
})

func inTrace() context.Context { return trace.ContextWithSpanContext(context.Background(), sender) }

// recorder starts broadcasts, and holds the spans that ended.
type recorder struct {
	tracer trace.Tracer
	ended  *tracetest.InMemoryExporter
}

func record() recorder {
	ended := tracetest.NewInMemoryExporter()
	return recorder{sdktrace.NewTracerProvider(sdktrace.WithSyncer(ended)).Tracer("test"), ended}
}

func (r recorder) start(ctx context.Context, linked bool) (context.Context, *broadcast.Broadcast) {
	return broadcast.Start(ctx, r.tracer, "all", header.CarryPolicy{}, linked)
}

// one returns the only span that ended, and its attributes.
func (r recorder) one(t *testing.T) (tracetest.SpanStub, map[attribute.Key]any) {
	t.Helper()
	ended := r.ended.GetSpans()
	require.Len(t, ended, 1)
	attrs := make(map[attribute.Key]any)
	for _, kv := range ended[0].Attributes {
		attrs[kv.Key] = kv.Value.AsInterface()
	}
	return ended[0], attrs
}
