// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
)

func TestTracesAreKeptInTheirOrder(t *testing.T) {
	r := record.New(traces.Config{})
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
	var ids []trace.TraceID
	for range 3 {
		ctx, root := tracer.Start(t.Context(), "root")
		_, child := tracer.Start(ctx, "child")
		child.End()
		root.End()
		ids = append(ids, root.SpanContext().TraceID())
	}
	all := r.All()
	require.Len(t, all, 3)
	for i, summary := range all {
		assert.Equal(t, ids[i], summary.ID)
		assert.Len(t, r.Trace(summary.ID).Spans, 2)
	}
	assert.Empty(t, r.Trace(trace.TraceID{1}).Spans)
	assert.EqualValues(t, 6, r.Ended())
	assert.Zero(t, r.LeftOut())
	r.Forget()
	assert.Empty(t, r.All())
	assert.Empty(t, r.Trace(ids[0]).Spans)
	assert.EqualValues(t, 6, r.LeftOut())
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	r := record.New(traces.Config{Spans: 10})
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
	ctx, root := tracer.Start(t.Context(), "root")
	for range 25 {
		_, child := tracer.Start(ctx, "child")
		child.End()
	}
	root.End()
	assert.EqualValues(t, 26, r.Ended())
	assert.EqualValues(t, 15, r.LeftOut(), "ten are kept, and the root")
}

func TestOpenSpansAreCounted(t *testing.T) {
	r := record.New(traces.Config{})
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
	ctx, root := tracer.Start(t.Context(), "root")
	_, child := tracer.Start(ctx, "child")
	assert.EqualValues(t, 2, r.Open())
	child.End()
	assert.EqualValues(t, 1, r.Open())
	root.End()
	assert.Zero(t, r.Open())
}
