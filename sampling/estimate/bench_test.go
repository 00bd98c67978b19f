// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"slices"
	"testing"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// forged returns the spans of a hundred broadcasts of which a hundred recipients each were chosen.
func forged(b *testing.B) []estimate.Span {
	b.Helper()
	f := &forge{random: fixed(14)}
	for range 100 {
		f.cast(b, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 100}, fleet(f.random, 10_000)[0])
	}
	return f.spans
}

func BenchmarkSpans(b *testing.B) {
	spans := forged(b)
	b.Run("keep", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if kept := slices.Clone(spans); len(kept) != len(spans) {
				b.Fatal("not kept")
			}
		}
	})
	b.Run("add and select", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			var s estimate.Spans
			for _, span := range spans {
				s.Add(span)
			}
			if n := s.Named("session").Handled.Tally().Counted; n != 10_000 {
				b.Fatal(n)
			}
		}
	})
}

func BenchmarkQuantile(b *testing.B) {
	var s estimate.Spans
	var values []float64
	for _, span := range forged(b) {
		s.Add(span)
		values = append(values, span.EndTime().Sub(span.StartTime()).Seconds())
	}
	sample := s.Named("session").Handled
	b.Run("sort", func(b *testing.B) {
		for range b.N {
			if sorted := slices.Sorted(slices.Values(values)); sorted[0] > sorted[1] {
				b.Fatal("not sorted")
			}
		}
	})
	b.Run("sample", func(b *testing.B) {
		for range b.N {
			if e := sample.Quantile(0.9); !(e.Low < e.Value && e.Value < e.High) {
				b.Fatal(e)
			}
		}
	})
}
