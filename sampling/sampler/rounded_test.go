// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// Each span below one fan-out has its own draw, although they share attributes. That
// all of 1,000 are the same has a probability of less than 1e-60.
func TestWeightIsRoundedForEachSpanAnew(t *testing.T) {
	ctx := below(spanContext(1).WithTraceState(parseState(t, "waybill=w:1.25;p:0.8;n:5;d:1")))
	w := sampler.Wrap(sdktrace.AlwaysSample())
	seen := make(map[int64]int)
	for range 1000 {
		for _, kv := range w.ShouldSample(sdktrace.SamplingParameters{
			ParentContext: ctx, TraceID: spanContext(0).TraceID(),
		}).Attributes {
			if kv.Key == keys.FanoutRoundedWeight {
				seen[kv.Value.AsInt64()]++
			}
		}
	}
	assert.Len(t, seen, 2)
	assert.Greater(t, seen[1], seen[2], "a quarter is rounded up")
	assert.Equal(t, 1000, seen[1]+seen[2])
}
