// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func ExampleForce() {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler.Wrap(sdktrace.NeverSample())))
	tracer := provider.Tracer("example")

	ctx, span := tracer.Start(context.Background(), "request")
	fmt.Println("request:", span.SpanContext().IsSampled())

	_, late := tracer.Start(sampling.Force(ctx), "slow query")
	fmt.Println("slow query:", late.SpanContext().IsSampled())
	// Output:
	// request: false
	// slow query: true
}

func ExampleForced() {
	ctx := sampling.Force(context.Background())
	fmt.Println(sampling.Forced(ctx))

	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{}) // Another span, or none.
	fmt.Println(sampling.Forced(ctx))
	// Output:
	// true
	// false
}

func TestForceHoldsForTheCurrentSpan(t *testing.T) {
	someone := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for name, sc := range map[string]trace.SpanContext{
		"none":           {},
		"unsampled":      someone,
		"sampled":        someone.WithTraceFlags(trace.FlagsSampled),
		"remote":         someone.WithRemote(true),
		"trace ID alone": someone.WithSpanID(trace.SpanID{}),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := trace.ContextWithSpanContext(t.Context(), sc)
			assert.False(t, sampling.Forced(ctx))
			forced := sampling.Force(ctx)
			assert.True(t, sampling.Forced(forced))
			assert.False(t, sampling.Forced(ctx), "it is another context")
			assert.True(t, trace.SpanContextFromContext(forced).Equal(sc))
			assert.Same(t, forced, sampling.Force(forced), "once is enough")

			derived, cancel := context.WithCancel(context.WithValue(forced, new(int), 1))
			defer cancel()
			assert.True(t, sampling.Forced(derived))
			assert.False(t, sampling.Forced(trace.ContextWithSpanContext(derived, someone.WithSpanID(trace.SpanID{3}))))
			assert.False(t, sampling.Forced(trace.ContextWithSpanContext(derived, trace.SpanContext{})))
		})
	}
	assert.False(t, sampling.Forced(context.Background()))
}

func TestForcedAllocatesNothing(t *testing.T) {
	plain := trace.ContextWithSpanContext(t.Context(), trace.SpanContext{})
	forced := sampling.Force(plain)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if sampling.Forced(plain) || !sampling.Forced(forced) {
			panic("not as it should be")
		}
	}))
}
