// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/waybill-go/waybill/sampling/estimate"
)

// What an observation costs, against keeping the value and its weight in a slice.
func BenchmarkAdd(b *testing.B) {
	stages := make([]estimate.Stage, 1000)
	for i := range stages {
		stages[i] = estimate.Stage{Fanout: strconv.Itoa(i), Size: 10_000, Chosen: 10}
	}
	b.Run("slice", func(b *testing.B) {
		b.ReportAllocs()
		var kept [][2]float64
		for i := range b.N {
			kept = append(kept, [2]float64{float64(i), 1000})
		}
		if len(kept) != b.N {
			b.Fatal("not kept")
		}
	})
	b.Run("sample", func(b *testing.B) {
		b.ReportAllocs()
		var s estimate.Sample
		for i := range b.N {
			s.Add(float64(i), 1000)
		}
		if s.Tally().Counted != b.N {
			b.Fatal("not counted")
		}
	})
	b.Run("sample with stage", func(b *testing.B) {
		b.ReportAllocs()
		var s estimate.Sample
		for i := range b.N {
			s.Add(float64(i), 1000, stages[i/10%len(stages)])
		}
		if s.Tally().Counted != b.N {
			b.Fatal("not counted")
		}
	})
}

// What a quantile of a hundred thousand costs, against sorting their values.
func BenchmarkQuantile(b *testing.B) {
	random := fixed(14)
	values := make([]float64, 100_000)
	var s estimate.Sample
	for i := range values {
		values[i] = random.ExpFloat64()
		s.Add(values[i], 10)
	}
	b.Run("sort", func(b *testing.B) {
		for range b.N {
			if sorted := slices.Sorted(slices.Values(values)); sorted[0] > sorted[1] {
				b.Fatal("not sorted")
			}
		}
	})
	b.Run("sample", func(b *testing.B) {
		for range b.N {
			if e := s.Quantile(0.99); !(e.Low < e.Value && e.Value < e.High) {
				b.Fatal(e)
			}
		}
	})
}
