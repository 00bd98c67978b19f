// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
)

// AppendWeight appends to dst how many recipients a span stands for: the weight, and
// the rounded weight for backends that count in whole numbers. The latter is rounded at
// random for each span ([RoundsUp]).
func AppendWeight(dst []attribute.KeyValue, weight float64) []attribute.KeyValue {
	return appendWeight(dst, weight, RoundsUp(weight))
}

// RoundsUp draws whether a span's weight is rounded up to a whole number. The
// probability is the fraction of the weight, so the mean of the rounded weight is the
// weight. If 1.67 were always rounded to 2, the sums would be a fifth too large.
func RoundsUp(weight float64) bool {
	_, fraction := math.Modf(weight)
	return fraction > 0 && rand.Float64() < fraction
}

func appendWeight(dst []attribute.KeyValue, weight float64, up bool) []attribute.KeyValue {
	rounded := int64(weight)
	if up {
		rounded++
	}
	return append(dst, keys.FanoutWeight.Float64(weight), keys.FanoutRoundedWeight.Int64(rounded))
}
