// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/browser"
)

var (
	heard = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now   = heard.Add(100 * time.Millisecond)
	sent  = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
)

func newRecorder() (*browser.Recorder, *tracetest.SpanRecorder, trace.TracerProvider) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithIDGenerator(browser.IDs()))
	return browser.New(provider), spans, provider
}

func at(d time.Duration) float64 { return float64(heard.Add(d).UnixMicro()) / 1000 }

// A page's span is where the page says if that can be, and else where it can be.
func TestSpansOfPages(t *testing.T) {
	for name, tt := range map[string]struct {
		claim browser.Claim
		start time.Duration // after the frame came
		took  time.Duration
	}{
		"the same clock":      {browser.Claim{at(-2 * time.Millisecond), 101.5}, -2 * time.Millisecond, 101500 * time.Microsecond},
		"a slow way":          {browser.Claim{at(-9 * time.Second), 9050}, -9 * time.Second, 9050 * time.Millisecond},
		"a clock ahead":       {browser.Claim{at(time.Hour), 80}, 0, 80 * time.Millisecond},
		"a little ahead":      {browser.Claim{at(time.Millisecond), 80}, 0, 80 * time.Millisecond},
		"it ends after now":   {browser.Claim{at(-time.Millisecond), 150}, -50 * time.Millisecond, 150 * time.Millisecond},
		"a clock behind":      {browser.Claim{at(-time.Hour), 80}, 0, 80 * time.Millisecond},
		"no time":             {browser.Claim{at(0), 0}, 0, 0},
		"no start":            {browser.Claim{0, 80}, 0, 80 * time.Millisecond},
		"a start before 1970": {browser.Claim{-5, 80}, 0, 80 * time.Millisecond},
		"a start beyond all":  {browser.Claim{math.MaxFloat64, 80}, 0, 80 * time.Millisecond},
		"a start at no time":  {browser.Claim{math.NaN(), 80}, 0, 80 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			recorder, spans, _ := newRecorder()
			require.NoError(t, recorder.Record(browser.Span{Context: sent, Heard: heard}, tt.claim, now))
			require.Len(t, spans.Ended(), 1)
			span := spans.Ended()[0]
			assert.Equal(t, sent.TraceID(), span.SpanContext().TraceID())
			assert.Equal(t, sent.SpanID(), span.SpanContext().SpanID(), "so that it is the parent of what came of it")
			assert.False(t, span.Parent().IsValid())
			assert.Equal(t, trace.SpanKindClient, span.SpanKind())
			assert.Empty(t, span.Attributes(), "nothing else is the page's")
			assert.Equal(t, tt.start, span.StartTime().Sub(heard).Round(time.Millisecond))
			assert.Equal(t, tt.took, span.EndTime().Sub(span.StartTime()).Round(time.Microsecond))
		})
	}
}

func TestSpansThatCannotBe(t *testing.T) {
	recorder, spans, _ := newRecorder()
	for _, took := range []float64{-1, math.NaN(), math.Inf(1), 60_001, 10_101, math.MaxFloat64} {
		assert.ErrorIs(t, recorder.Record(browser.Span{Context: sent, Heard: heard},
			browser.Claim{at(0), took}, now), browser.ErrTimes, fmt.Sprint(took))
	}
	assert.Empty(t, spans.Ended())
}

// Other spans of such a provider have IDs as usual.
func TestOtherSpansHaveIDsOfTheirOwn(t *testing.T) {
	_, spans, provider := newRecorder()
	seen := map[string]bool{}
	for range 10 {
		ctx, root := provider.Tracer("test").Start(t.Context(), "root")
		_, child := provider.Tracer("test").Start(ctx, "child")
		child.End()
		root.End()
	}
	for _, s := range spans.Ended() {
		require.True(t, s.SpanContext().IsValid())
		seen[s.SpanContext().SpanID().String()] = true
	}
	assert.Len(t, seen, 20)
}
