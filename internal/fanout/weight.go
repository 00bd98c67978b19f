// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
)

// AppendWeight appends to dst how many a span stands for: weight, and weight made
// whole for backends that count in whole numbers. It is for each span rounded at
// random ([RoundsUp]).
func AppendWeight(dst []attribute.KeyValue, weight float64) []attribute.KeyValue {
	return appendWeight(dst, weight, RoundsUp(weight))
}

// RoundsUp draws whether a span's weight is rounded up to a whole number: with the
// probability of its fraction, so that the mean is the weight. Always to round 1.67
// to 2 would count a fifth too many.
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
