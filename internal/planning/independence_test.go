// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/stattest"
)

// TestChoiceIsIndependentOfTheTraceID: a plan is not told the trace ID, so this
// is about the generators. Plans are judged that are made for traces which a
// ratio sampler lets through, and for those of which a collector keeps one in
// five by the ID's other end.
func TestChoiceIsIndependentOfTheTraceID(t *testing.T) {
	const n, k, trials = 50, 10, 10_000
	ratio := sdktrace.TraceIDRatioBased(0.1)
	ids := rand.New(rand.NewPCG(21, 22))
	sampledID := func() (id trace.TraceID) {
		for {
			binary.BigEndian.PutUint64(id[:8], ids.Uint64())
			binary.BigEndian.PutUint64(id[8:], ids.Uint64())
			if ratio.ShouldSample(sdktrace.SamplingParameters{TraceID: id}).Decision == sdktrace.RecordAndSample || id[15] < 51 {
				return id
			}
		}
	}
	plan := planner(exactly(k), n, 23)
	require.NoError(t, stattest.CheckUniform(n, n, trials, func() []int { sampledID(); return plan() }))
	require.NoError(t, stattest.CheckPairs(n, trials, func() []int { sampledID(); return plan() }))

	// Negative controls: a choice by either end of the trace ID, as consistent
	// samplers make it.
	require.Error(t, stattest.CheckUniform(n, n, trials, func() []int {
		id := sampledID()
		return []int{int(binary.BigEndian.Uint64(id[8:]) >> 32 * n >> 32)}
	}))
	require.Error(t, stattest.CheckUniform(n, n, trials, func() []int { id := sampledID(); return []int{int(id[15]) * n / 256} }))
}
