// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/internal/plugged"
	"github.com/waybill-go/waybill/propagate/grpcstream"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func TestSpansAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, spans := newProvider(t)
		renewing := grpcstream.RenewSpans(provider, time.Hour).Tracer("test")
		ctx, span := renewing.Start(sampledContext(t), "stream",
			trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("rpc.method", "Watch")))
		first := span.SpanContext()
		span.SetName("watch")
		span.SetAttributes(attribute.Int("during", 1))
		time.Sleep(time.Hour - time.Nanosecond)
		assert.Empty(t, spans.Ended())
		time.Sleep(time.Hour) // It is renewed in between.
		span.SetAttributes(attribute.Int("during", 2))
		span.AddEvent("event")
		span.RecordError(errors.New("recorded"))
		span.AddLink(trace.Link{SpanContext: spanContext(1)})
		span.SetStatus(codes.Error, "failed")
		assert.True(t, span.IsRecording())
		second := span.SpanContext()
		_, child := provider.Tracer("test").Start(ctx, "child")
		child.End()
		_, other := span.TracerProvider().Tracer("test").Start(ctx, "other child")
		other.End()
		time.Sleep(time.Hour / 2)
		span.End()
		span.End() // Again, to no effect.
		time.Sleep(10 * time.Hour)

		ended := spans.Ended()
		require.Len(t, ended, 5)
		a, b, c := ended[0], ended[1], ended[4]
		assert.Equal(t, "child", b.Name())
		assert.Equal(t, second, b.Parent(), "children are in the new trace")
		last := ended[3]
		assert.Equal(t, "watch", last.Name(), "the second renewal is at two hours")
		_ = c

		assert.Equal(t, first, a.SpanContext())
		assert.Equal(t, spanContext(1).TraceID(), a.SpanContext().TraceID())
		assert.Equal(t, 1, int(attributes(a.Attributes())["during"].AsInt64()))
		assert.Equal(t, time.Hour, a.EndTime().Sub(a.StartTime()))
		assert.Equal(t, codes.Unset, a.Status().Code)

		assert.Equal(t, second, last.SpanContext())
		assert.NotEqual(t, first.TraceID(), second.TraceID())
		assert.False(t, last.Parent().IsValid(), "a root")
		assert.Equal(t, trace.SpanKindServer, last.SpanKind())
		assert.Equal(t, "Watch", attributes(last.Attributes())["rpc.method"].AsString())
		assert.Equal(t, 2, int(attributes(last.Attributes())["during"].AsInt64()))
		assert.Len(t, last.Events(), 2)
		assert.Equal(t, codes.Error, last.Status().Code)
		require.Len(t, last.Links(), 2)
		assert.Equal(t, first, last.Links()[0].SpanContext)
		assert.Equal(t, attribute.String("waybill.link.reason", "renewal"), last.Links()[0].Attributes[0])
		assert.Equal(t, second, c.Links()[0].SpanContext, "the third span is linked to the second")
	})
}

// A new span is sampled if other roots would be, or inside our wrapper of the sampler.
func TestRenewedSpansAreSampled(t *testing.T) {
	never := sdktrace.ParentBased(sdktrace.NeverSample())
	for name, tt := range map[string]struct {
		sampler sdktrace.Sampler
		want    int
	}{
		"that starts none":          {never, 1},
		"that starts none, wrapped": {sampler.Wrap(never), 3},
		"of a ratio":                {sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)), 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spans := tracetest.NewSpanRecorder()
				provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(tt.sampler), sdktrace.WithSpanProcessor(spans))
				parent := spanContext(1).WithTraceID(trace.TraceID{8: 1, 15: 1}) // Within the ratio.
				_, span := grpcstream.RenewSpans(provider, time.Hour).Tracer("test").
					Start(trace.ContextWithSpanContext(t.Context(), parent), "stream")
				time.Sleep(150 * time.Minute)
				span.End()
				assert.Len(t, spans.Ended(), tt.want)
			})
		})
	}
}

func TestSpansThatAreNotRenewed(t *testing.T) {
	provider, spans := newProvider(t)
	assert.Equal(t, trace.TracerProvider(provider), grpcstream.RenewSpans(provider, 0))
	assert.Equal(t, trace.TracerProvider(provider), grpcstream.RenewSpans(provider, -1))
	unsampled := trace.ContextWithSpanContext(t.Context(), spanContext(0))
	_, span := grpcstream.RenewSpans(provider, time.Nanosecond).Tracer("test").Start(unsampled, "stream")
	assert.False(t, span.IsRecording())
	span.End()
	assert.Empty(t, spans.Started())
}

// What is plugged in may panic when a span is renewed, on a goroutine of nobody's.
func TestARenewalSurvivesPanics(t *testing.T) {
	for name, provider := range plugged.Providers() {
		if name == "sampler" || name == "start" {
			continue // They panic at the first start, which is the instrumentation's.
		}
		synctest.Test(t, func(t *testing.T) {
			_, span := grpcstream.RenewSpans(provider, time.Hour).Tracer("test").Start(t.Context(), "stream")
			first := span.SpanContext()
			time.Sleep(90 * time.Minute)
			assert.NotEqual(t, first, span.SpanContext(), name)
			assert.Panics(t, func() { span.End() }, "that of the instrumentation is its own")
		})
	}
}

// Beside otelgrpc, the stream's span stays otelgrpc's and each message has its own trace.
// The stream's span is renewed if it should be.
func TestBesideOtelgrpc(t *testing.T) {
	provider, spans := newProvider(t)
	renewing := grpcstream.RenewSpans(provider, 5*time.Millisecond)
	p := peer{
		server: []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(renewing)))},
		dial:   []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithTracerProvider(provider)))},
	}
	var streamSpan trace.SpanContext
	client := connect(t, t.Context(), p, func(stream *grpc.GenericServerStream[note, note]) error {
		streamSpan = trace.SpanContextFromContext(stream.Context())
		assert.Eventually(t, func() bool { return trace.SpanContextFromContext(stream.Context()).TraceID() != streamSpan.TraceID() },
			time.Minute, time.Millisecond)
		r := grpcstream.NewReceiver(stream, "handle", grpcstream.WithTracerProvider(provider))
		for range r.Receive() {
		}
		return r.Err()
	})
	require.NoError(t, grpcstream.NewSender(client).Send(sampledContext(t), text("hello")))
	require.NoError(t, client.CloseSend())
	_, err := client.Recv()
	require.Error(t, err, "the end of the stream")

	require.Eventually(t, func() bool { return len(byKind(spans, trace.SpanKindClient)) == 1 }, time.Minute, time.Millisecond)
	handling := byKind(spans, trace.SpanKindConsumer)
	require.Len(t, handling, 1)
	assert.Equal(t, spanContext(1).TraceID(), handling[0].SpanContext().TraceID())
	require.Len(t, handling[0].Links(), 1)
	linked := handling[0].Links()[0].SpanContext
	assert.NotEqual(t, streamSpan.SpanID(), linked.SpanID(), "the span in which the stream goes on")
	require.Eventually(t, func() bool {
		for _, span := range byKind(spans, trace.SpanKindServer) {
			if span.SpanContext().SpanID() == linked.SpanID() {
				return true
			}
		}
		return false
	}, time.Minute, time.Millisecond)
}

func byKind(spans *tracetest.SpanRecorder, kind trace.SpanKind) (found []sdktrace.ReadOnlySpan) {
	for _, span := range spans.Ended() {
		if span.SpanKind() == kind {
			found = append(found, span)
		}
	}
	return found
}
