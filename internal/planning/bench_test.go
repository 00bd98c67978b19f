// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/sampling"
)

// BenchmarkPlan chooses as many of ever larger fan-outs: the time must not
// grow with their size. The baseline is a coin for each recipient.
func BenchmarkPlan(b *testing.B) {
	for _, k := range []int{10, 100} {
		for _, n := range []int{1000, 100_000, 10_000_000} {
			b.Run(fmt.Sprintf("k=%d/n=%d", k, n), func(b *testing.B) {
				c := exactly(k)
				var buf []int
				b.ReportAllocs()
				for b.Loop() {
					buf = planOf(c, n, nil).Sampled
				}
				require.Len(b, buf, k)
			})
		}
	}
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("coins/k=10/n=%d", n), func(b *testing.B) {
			var buf []int
			b.ReportAllocs()
			for b.Loop() {
				buf = buf[:0]
				for i := range n {
					if rand.IntN(n) < 10 {
						buf = append(buf, i)
					}
				}
			}
			require.LessOrEqual(b, len(buf), n)
		})
	}
}

func BenchmarkPlanDefault(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var p planning.Plan
			b.ReportAllocs()
			for b.Loop() {
				p = planOf(sampling.GroupConfig{}, n, nil)
			}
			require.Equal(b, n, p.Size)
		})
	}
}

// BenchmarkStream asks about recipients of which one in a thousand is chosen. The
// baseline is a coin for each.
func BenchmarkStream(b *testing.B) {
	b.Run("skips", func(b *testing.B) {
		s := ask(0.001, nil)
		chosen := 0
		for b.Loop() {
			if s.next() {
				chosen++
			}
		}
		require.LessOrEqual(b, chosen, s.seen)
	})
	b.Run("coins", func(b *testing.B) {
		chosen := 0
		for b.Loop() {
			if rand.Float64() < 0.001 {
				chosen++
			}
		}
		require.LessOrEqual(b, chosen, b.N)
	})
}

// BenchmarkRelays shares 100 spans out to relays.
func BenchmarkRelays(b *testing.B) {
	for _, n := range []int{64, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sizes := make([]int, n)
			for i := range sizes {
				sizes[i] = 1 + i%100
			}
			var r planning.Relays
			b.ReportAllocs()
			for b.Loop() {
				r = planning.Planner{Config: exactly(100)}.Relays(sizes)
			}
			require.Equal(b, 100, r.Spans)
		})
	}
}

func BenchmarkFactor(b *testing.B) {
	var rate spanrate.Rate
	var now time.Duration
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rate.Factor(1000, 10, now)
		}
	})
	require.Less(b, rate.Factor(1000, 1e9, now), 1.0)
}
