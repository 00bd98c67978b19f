// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func TestDescription(t *testing.T) {
	assert.Equal(t, "Waybill{TraceIDRatioBased{0.01}}", sampler.Wrap(sdktrace.TraceIDRatioBased(0.01)).Description())
	assert.Equal(t, "Waybill{"+sdktrace.ParentBased(sdktrace.AlwaysSample()).Description()+"}",
		sampler.Wrap(nil).Description())
}

func TestWrapNilIsTheDefaultOfTheSDK(t *testing.T) {
	r := record(t, sampler.Wrap(nil))
	r.span(t.Context(), "root")
	r.span(below(spanContext(0)), "child of an unsampled span")
	assert.Len(t, r.spans.GetSpans(), 1)
	r.one(t, "root")
}

// The SDK never passes a context that is nil; samplers around the wrapper might.
func TestContextOfNil(t *testing.T) {
	result := sampler.Wrap(sdktrace.AlwaysSample()).ShouldSample(sdktrace.SamplingParameters{})
	assert.Equal(t, sdktrace.RecordAndSample, result.Decision)
}

// Many goroutines share the wrapper; each sees the decisions on its own spans.
func TestConcurrentUse(t *testing.T) {
	const workers, rounds = 8, 200
	r := record(t, sampler.Wrap(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))))
	shared := sampling.Force(below(spanContext(0)))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			f := fanout.Fanout{Weight: float64(w + 1), Probability: 1 / float64(w+1), Size: w + 1, Depth: 1}
			ctx := below(spanContext(trace.FlagsSampled).WithTraceState(f.AddTo(trace.TraceState{})))
			for range rounds {
				r.span(r.span(ctx, fmt.Sprint("weight ", w+1)), "nested")
				r.span(shared, "forced")
				r.span(below(spanContext(0)), "unsampled")
				r.span(below(envelope.Sentinel()), "silent")
				r.span(context.Background(), "root")
			}
		})
	}
	wg.Wait()
	require.Len(t, r.spans.GetSpans(), workers*rounds*3)
	assert.Len(t, r.all("forced"), workers*rounds)
	assert.Len(t, r.all("nested"), workers*rounds)
	for w := range workers {
		spans := r.all(fmt.Sprint("weight ", w+1))
		require.Len(t, spans, rounds)
		for _, s := range spans {
			assert.InDelta(t, w+1, attributes(t, s)[keys.FanoutWeight], 0)
		}
	}
}
