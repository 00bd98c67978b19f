// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
)

// rounded returns the rounded weight among attrs.
func rounded(t *testing.T, attrs []attribute.KeyValue) int64 {
	t.Helper()
	for _, kv := range attrs {
		if kv.Key == keys.FanoutRoundedWeight {
			require.Equal(t, attribute.INT64, kv.Value.Type())
			return kv.Value.AsInt64()
		}
	}
	require.Fail(t, "no rounded weight")
	return 0
}

// Five recipients of which three were chosen stand for 1.67 each. The mean of the
// rounded weights is that within six standard errors; always to round up or down is
// hundreds of them away, which shows that this finds it.
func TestRoundedWeightHasTheMeanOfTheWeight(t *testing.T) {
	const draws = 100_000
	for _, weight := range []float64{1.25, 5.0 / 3, 7.0 / 3, 999.5, 0.5} {
		_, fraction := math.Modf(weight)
		tolerance := 6 * math.Sqrt(fraction*(1-fraction)/draws)
		var sum float64
		for range draws {
			r := rounded(t, fanout.AppendWeight(nil, weight))
			require.InDelta(t, weight, float64(r), 1)
			sum += float64(r)
		}
		assert.InDelta(t, weight, sum/draws, tolerance)
		assert.Greater(t, math.Abs(math.Round(weight)-weight), 20*tolerance)
	}
}

func TestWholeWeightsStayAsTheyAre(t *testing.T) {
	for _, weight := range []float64{0, 1, 1000, fanout.MaxWeight} {
		for range 100 {
			assert.InDelta(t, weight, float64(rounded(t, fanout.AppendWeight(nil, weight))), 0)
		}
	}
}
