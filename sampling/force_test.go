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

// forced reports whether ctx is one that Force returned, or derived from one without
// another span. It looks as the wrapper does.
func forced(ctx context.Context) bool {
	_, ok := trace.SpanFromContext(ctx).(interface{ WaybillForced() })
	return ok
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
			assert.False(t, forced(ctx))
			marked := sampling.Force(ctx)
			assert.True(t, forced(marked))
			assert.False(t, forced(ctx), "it is another context")
			assert.True(t, trace.SpanContextFromContext(marked).Equal(sc))
			assert.Same(t, marked, sampling.Force(marked), "once is enough")

			derived, cancel := context.WithCancel(context.WithValue(marked, new(int), 1))
			defer cancel()
			assert.True(t, forced(derived))
			assert.False(t, forced(trace.ContextWithSpanContext(derived, someone.WithSpanID(trace.SpanID{3}))))
			assert.False(t, forced(trace.ContextWithSpanContext(derived, trace.SpanContext{})))
		})
	}
	assert.False(t, forced(context.Background()))
}
