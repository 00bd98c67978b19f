// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlptest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/internal/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// provider exports to r, every span by itself and at once.
func provider(t *testing.T, r *otlptest.Receiver, service string) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracegrpc.New(t.Context(),
		otlptracegrpc.WithEndpoint(r.Endpoint()), otlptracegrpc.WithInsecure())
	require.NoError(t, err)
	p := sdktrace.NewTracerProvider(
		sdktrace.WithSyncer(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	t.Cleanup(func() { assert.NoError(t, p.Shutdown(context.Background())) })
	return p
}

func TestReceiverGivesBackWhatWasSent(t *testing.T) {
	r := otlptest.New(t)
	assert.Empty(t, r.Spans())
	tracer := provider(t, r, "shop").Tracer("till")
	begin := time.Unix(1_700_000_000, 123).UTC()
	other := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	ctx, parent := tracer.Start(t.Context(), "parent")
	_, child := tracer.Start(ctx, "child",
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithTimestamp(begin),
		trace.WithLinks(trace.Link{SpanContext: other, Attributes: []attribute.KeyValue{attribute.Bool("b", true)}}),
		trace.WithAttributes(
			attribute.String("s", "x"), attribute.Int("i", 7), attribute.Float64("f", 0.5),
			attribute.Bool("b", true), attribute.StringSlice("l", []string{"y", "z"})))
	child.AddEvent("bang", trace.WithTimestamp(begin.Add(time.Second)), trace.WithAttributes(attribute.Int("n", 1)))
	child.SetStatus(codes.Error, "broken")
	child.End(trace.WithTimestamp(begin.Add(time.Minute)))
	parent.End()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	spans, err := r.WaitFor(ctx, 2)
	require.NoError(t, err)
	require.Len(t, spans, 2)
	assert.Equal(t, spans, r.Spans())
	got := spans[0]
	assert.True(t, got.Start.Equal(begin))
	assert.True(t, got.Events[0].Time.Equal(begin.Add(time.Second)))
	assert.Equal(t, time.Minute, got.Duration())
	assert.False(t, got.Root())
	got.Start, got.End, got.Events[0].Time = time.Time{}, time.Time{}, time.Time{}
	assert.Equal(t, otlptest.Span{
		Service: "shop", Scope: "till", Name: "child", Kind: trace.SpanKindProducer,
		TraceID:    parent.SpanContext().TraceID(),
		SpanID:     child.SpanContext().SpanID(),
		ParentID:   parent.SpanContext().SpanID(),
		Attributes: map[string]any{"s": "x", "i": int64(7), "f": 0.5, "b": true, "l": []any{"y", "z"}},
		Status:     otlptest.Status{Code: codes.Error, Message: "broken"},
		Events:     []otlptest.Event{{Name: "bang", Attributes: map[string]any{"n": int64(1)}}},
		Links:      []otlptest.Link{{TraceID: other.TraceID(), SpanID: other.SpanID(), Attributes: map[string]any{"b": true}}},
	}, got)
	assert.True(t, spans[1].Root())
	assert.Equal(t, "parent", spans[1].Name)
	assert.Equal(t, trace.SpanKindInternal, spans[1].Kind)
	assert.Equal(t, otlptest.Status{Code: codes.Unset}, spans[1].Status)
}

func TestSpanKindsHaveTheSameNumbers(t *testing.T) {
	r := otlptest.New(t)
	tracer := provider(t, r, "").Tracer("")
	kinds := []trace.SpanKind{
		trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer,
	}
	for _, kind := range kinds {
		_, span := tracer.Start(t.Context(), "span", trace.WithSpanKind(kind))
		span.SetStatus(codes.Ok, "")
		span.End()
	}
	spans, err := r.WaitFor(t.Context(), len(kinds))
	require.NoError(t, err)
	for i, kind := range kinds {
		assert.Equal(t, kind, spans[i].Kind)
		assert.Equal(t, codes.Ok, spans[i].Status.Code)
	}
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	r := otlptest.New(t)
	_, span := provider(t, r, "shop").Tracer("").Start(t.Context(), "only")
	span.End()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	spans, err := r.WaitFor(ctx, 2)
	require.ErrorIs(t, err, why)
	require.ErrorContains(t, err, "1 spans of 2")
	assert.Len(t, spans, 1)
}

func TestManyExportersAndReaders(t *testing.T) {
	const exporters, each = 3, 20
	r := otlptest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range exporters {
		tracer := provider(t, r, fmt.Sprintf("service %d", i)).Tracer("")
		wg.Go(func() {
			for range each {
				_, span := tracer.Start(ctx, "span")
				span.End()
			}
		})
		wg.Go(func() {
			spans, err := r.WaitFor(ctx, exporters*each)
			assert.NoError(t, err)
			assert.Len(t, spans, exporters*each)
		})
	}
	wg.Wait()
	services := make(map[string]int)
	for _, s := range r.Spans() {
		services[s.Service]++
	}
	assert.Equal(t, map[string]int{"service 0": each, "service 1": each, "service 2": each}, services)
}

func TestForbiddenRequestIsRefusedWhole(t *testing.T) {
	r := otlptest.New(t)
	conn, err := grpc.NewClient(r.Endpoint(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	client := collector.NewTraceServiceClient(conn)
	id16, id8 := make([]byte, 16), make([]byte, 8)
	id16[0], id8[0] = 1, 1
	good := &tracepb.Span{Name: "good", TraceId: id16, SpanId: id8}
	for name, bad := range map[string]*tracepb.Span{
		"no IDs":         {},
		"short trace ID": {TraceId: id8, SpanId: id8},
		"long span ID":   {TraceId: id16, SpanId: id16},
		"zero trace ID":  {TraceId: make([]byte, 16), SpanId: id8},
		"zero span ID":   {TraceId: id16, SpanId: make([]byte, 8)},
		"short parent":   {TraceId: id16, SpanId: id8, ParentSpanId: id8[:7]},
		"link":           {TraceId: id16, SpanId: id8, Links: []*tracepb.Span_Link{{}}},
	} {
		bad.Name = name
		_, err := client.Export(t.Context(), &collector.ExportTraceServiceRequest{
			ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{good, bad}}}}},
		})
		require.Equal(t, grpccodes.InvalidArgument, status.Code(err), name)
		require.ErrorContains(t, err, name)
	}
	assert.Empty(t, r.Spans())
	_, err = client.Export(t.Context(), &collector.ExportTraceServiceRequest{
		ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{good}}}}},
	})
	require.NoError(t, err)
	assert.Len(t, r.Spans(), 1)
}
