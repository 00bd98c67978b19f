// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

func TestSentinelShape(t *testing.T) {
	s := envelope.Sentinel()
	assert.True(t, s.IsValid())
	assert.False(t, s.IsSampled())
	assert.False(t, s.IsRemote())
	assert.NotEqual(t, s.TraceID(), envelope.Sentinel().TraceID(), "drawn anew")
	id := s.TraceID()
	assert.NotEqual(t, make([]byte, 8), id[:8])
	assert.Equal(t, []byte{0xff, 0, 0, 0, 0, 0, 0, 0}, id[8:])
}

func TestIsSentinel(t *testing.T) {
	s := envelope.Sentinel()
	assert.True(t, envelope.IsSentinel(s))
	assert.True(t, envelope.IsSentinel(s.WithSpanID(trace.SpanID{5})), "a child that does not record")
	assert.True(t, envelope.IsSentinel(s.WithRemote(true)), "back from another service")
	assert.False(t, envelope.IsSentinel(s.WithTraceFlags(trace.FlagsSampled)))
	assert.False(t, envelope.IsSentinel(trace.SpanContext{}))
	assert.False(t, envelope.IsSentinel(spanContext(0)))
}

func TestUntraced(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"nothing":   t.Context(),
		"sampled":   sampledContext(t),
		"unsampled": unsampledContext(t),
		"baggage":   withBaggage(t, t.Context(), "acme"),
		"all":       withBaggage(t, sampledContext(t), "acme"),
	} {
		t.Run(name, func(t *testing.T) {
			got := envelope.Untraced(ctx)
			assert.True(t, envelope.IsSentinel(trace.SpanContextFromContext(got)))
			assert.Zero(t, baggage.FromContext(got).Len())
			assert.Same(t, got, envelope.Untraced(got), "a context that is so already stays as it is")
		})
	}
}

// recordOnly records every span and samples none.
type recordOnly struct{ sdktrace.Sampler }

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func TestUntracedTakesRecordingSpansAway(t *testing.T) {
	provider, _ := newProvider(t, sdktrace.WithSampler(recordOnly{sdktrace.NeverSample()}))
	ctx, span := provider.Tracer("test").Start(envelope.Untraced(t.Context()), "ambient")
	defer span.End()
	require.True(t, span.IsRecording())
	require.True(t, envelope.IsSentinel(span.SpanContext()), "otherwise this test shows nothing")
	assert.False(t, trace.SpanFromContext(envelope.Untraced(ctx)).IsRecording())
}

// startInBody starts a span inside the handling of one untraced message and
// reports what came of it.
func startInBody(t *testing.T, provider trace.TracerProvider, opts ...trace.SpanStartOption) (s trace.SpanContext, recording bool) {
	t.Helper()
	ch := filled(t, t.Context(), order{1})
	for ctx := range envelope.Receive(t.Context(), ch, "r", envelope.WithTracerProvider(provider)) {
		_, span := provider.Tracer("user").Start(ctx, "user", opts...)
		s, recording = span.SpanContext(), span.IsRecording()
		span.End()
	}
	return s, recording
}

func TestSentinelKeepsParentBasedSamplersSilent(t *testing.T) {
	provider, recorder := newProvider(t)
	s, recording := startInBody(t, provider)
	assert.False(t, recording)
	assert.True(t, envelope.IsSentinel(s))
	assert.Empty(t, recorder.Started())

	// Negative control: without the sentinel the same span is a sampled root.
	_, span := provider.Tracer("user").Start(t.Context(), "user")
	assert.True(t, span.IsRecording())
	span.End()
	require.Len(t, recorder.Ended(), 1)
	assert.True(t, recorder.Ended()[0].SpanContext().IsSampled())
}

func TestSentinelGoesOutUnsampled(t *testing.T) {
	ctx, _ := envelope.Bare(order{1}).Unwrap(t.Context())
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	assert.Regexp(t, fmt.Sprintf("^00-[0-9a-f]{16}ff00000000000000-%s-00$", envelope.Sentinel().SpanID()),
		carrier.Get("traceparent"))
}

func TestSentinelIsNeverChosenByItsID(t *testing.T) {
	drops := func(ratio float64, id trace.TraceID) bool {
		result := sdktrace.TraceIDRatioBased(ratio).ShouldSample(sdktrace.SamplingParameters{
			ParentContext: t.Context(), TraceID: id,
		})
		return result.Decision == sdktrace.Drop
	}
	for _, ratio := range []float64{1e-9, 0.001, 0.1, 0.5, 0.9, 0.99, 0.996} {
		assert.True(t, drops(ratio, envelope.Sentinel().TraceID()), "ratio %v", ratio)
		provider, recorder := newProvider(t, sdktrace.WithSampler(sdktrace.TraceIDRatioBased(ratio)))
		_, recording := startInBody(t, provider)
		assert.False(t, recording, "ratio %v", ratio)
		assert.Empty(t, recorder.Started())

		// Negative control: the reverse of its lower half is always chosen.
		other := envelope.Sentinel().TraceID()
		other[8], other[15] = 0, 1
		assert.False(t, drops(ratio, other), "ratio %v", ratio)
	}
	assert.False(t, drops(0.997, envelope.Sentinel().TraceID()), "the limit that the comment gives")

	// Consistent samplers compare the lower 56 bits with a threshold that is
	// above zero for every probability below one.
	id := envelope.Sentinel().TraceID()
	assert.Equal(t, make([]byte, 7), id[9:])
}

func TestSentinelAllowsNewRoots(t *testing.T) {
	provider, recorder := newProvider(t)
	s, recording := startInBody(t, provider, trace.WithNewRoot())
	assert.True(t, recording)
	assert.True(t, s.IsSampled())
	assert.False(t, envelope.IsSentinel(s.WithTraceFlags(0)))
	require.Len(t, recorder.Ended(), 1)
	assert.False(t, recorder.Ended()[0].Parent().IsValid())
}
