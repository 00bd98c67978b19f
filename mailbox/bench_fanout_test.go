// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// BenchmarkFanout broadcasts and waits until all have handled it. The raw one
// carries no trace in any setting: it is what a fan-out costs without.
func BenchmarkFanout(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		for _, s := range settings() {
			b.Run(fmt.Sprintf("%d/%s/waybill", n, s.name), func(b *testing.B) {
				s.spans.ended.Store(0)
				sys := s.system()
				var all sync.WaitGroup
				handled := make([]int, n)
				group := newGroup[int](b, sys, "workers")
				kind, err := mailbox.NewKind[int](sys, "worker")
				require.NoError(b, err)
				for i := range n {
					ref, err := kind.Spawn("", func(context.Context, int) error {
						handled[i]++
						all.Done()
						return nil
					})
					require.NoError(b, err)
					require.NoError(b, group.Join(ref))
				}
				traced := 0
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					all.Add(n)
					d := group.Broadcast(s.ctx, i)
					if d.Delivered != n {
						b.Fatalf("%+v", d)
					}
					traced += d.Sampled
					all.Wait()
				}
				b.StopTimer()
				perRecipient(b, n)
				drain(b, sys)
				for i := range handled {
					require.Equal(b, b.N, handled[i])
				}
				s.requireSpans(b, b.N+traced)
			})
		}
		b.Run(fmt.Sprintf("%d/raw", n), func(b *testing.B) {
			var all, ended sync.WaitGroup
			handled := make([]int, n)
			boxes := make([]chan int, n)
			for i := range n {
				boxes[i] = make(chan int, 16)
				ended.Go(func() {
					for range boxes[i] {
						handled[i]++
						all.Done()
					}
				})
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				all.Add(n)
				for _, box := range boxes {
					box <- i
				}
				all.Wait()
			}
			b.StopTimer()
			perRecipient(b, n)
			for _, box := range boxes {
				close(box)
			}
			ended.Wait()
			for i := range handled {
				require.Equal(b, b.N, handled[i])
			}
		})
	}
}

func perRecipient(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
}

// BenchmarkSpawn starts processes, and ends them off the clock, a thousand at
// a time.
func BenchmarkSpawn(b *testing.B) {
	const batch = 1000
	b.Run("waybill", func(b *testing.B) {
		handler := func(context.Context, int) error { return nil }
		spawned := 0
		b.ReportAllocs()
		for spawned < b.N {
			sys := mailbox.NewSystem()
			kind, err := mailbox.NewKind[int](sys, "worker")
			require.NoError(b, err)
			n := min(batch, b.N-spawned)
			for range n {
				if _, err := kind.Spawn("", handler); err != nil {
					b.Fatal(err)
				}
			}
			spawned += n
			b.StopTimer()
			require.Equal(b, n, sys.Stats().Processes)
			drain(b, sys)
			b.StartTimer()
		}
	})
	b.Run("raw", func(b *testing.B) {
		spawned := 0
		b.ReportAllocs()
		for spawned < b.N {
			n := min(batch, b.N-spawned)
			boxes := make([]chan int, 0, n)
			var ended sync.WaitGroup
			for range n {
				box := make(chan int, 16)
				ended.Go(func() {
					for range box {
					}
				})
				boxes = append(boxes, box)
			}
			spawned += n
			b.StopTimer()
			for _, box := range boxes {
				close(box)
			}
			ended.Wait()
			b.StartTimer()
		}
	})
}
