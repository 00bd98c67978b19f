// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// The wrapper allocates nothing of its own, below a fan-out that it knows neither.
func TestAllocations(t *testing.T) {
	sampled := spanContext(trace.FlagsSampled)
	vendor := parseState(t, "vendor=1,other=2")
	for _, c := range []struct {
		name string
		ctx  context.Context
		want int // attributes
	}{
		{"root", context.Background(), 0},
		{"child", below(sampled), 0},
		{"child of an unsampled span", below(spanContext(0)), 0},
		{"sentinel", below(envelope.Sentinel()), 0},
		{"tracestate", below(sampled.WithTraceState(vendor)), 0},
		{"forced", sampling.Force(below(spanContext(0))), 0},
		{"fan-out, unsampled", below(recipient(0)), 0},
		{"fan-out", below(recipient(trace.FlagsSampled)), 5},
	} {
		for name, next := range map[string]sdktrace.Sampler{
			"parent-based": sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)),
			"forgetful":    forgetful{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))},
		} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				wrapped := sampler.Wrap(next)
				p := sdktrace.SamplingParameters{ParentContext: c.ctx, TraceID: sampled.TraceID(), Name: "work"}
				var result sdktrace.SamplingResult
				assert.Zero(t, testing.AllocsPerRun(200, func() { result = wrapped.ShouldSample(p) }))
				assert.Len(t, result.Attributes, c.want)
			})
		}
	}
}

// The same with the SDK around it: a span costs as many allocations as without.
func TestSpanAllocations(t *testing.T) {
	next := sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))
	bare, _ := newCounting(t, next)
	wrapped, _ := newCounting(t, sampler.Wrap(next))
	for name, ctx := range map[string]context.Context{
		"child":            below(spanContext(trace.FlagsSampled)),
		"unsampled child":  below(spanContext(0)),
		"with tracestate":  below(spanContext(trace.FlagsSampled).WithTraceState(parseState(t, "vendor=1"))),
		"sentinel":         below(envelope.Sentinel()),
		"unsampled, other": below(recipient(0)),
	} {
		t.Run(name, func(t *testing.T) {
			allocs := func(tracer trace.Tracer) float64 {
				return testing.AllocsPerRun(500, func() {
					_, span := tracer.Start(ctx, "work")
					span.End()
				})
			}
			assert.InDelta(t, allocs(bare), allocs(wrapped), 0)
		})
	}
}
