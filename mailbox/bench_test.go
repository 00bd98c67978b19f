// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// The benchmarks are for comparing a change with what was there before. The
// comparison with goroutines and channels is in the bench directory. Each waits for
// all handlers, and fails if a message was not handled or a span not made.

// spanCounter is a span processor that counts spans and throws them away.
type spanCounter struct{ ended atomic.Int64 }

func (*spanCounter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *spanCounter) OnEnd(sdktrace.ReadOnlySpan)                   { c.ended.Add(1) }
func (*spanCounter) Shutdown(context.Context) error                  { return nil }
func (*spanCounter) ForceFlush(context.Context) error                { return nil }

// benchTraced runs a benchmark for each way in which a message can be traced. It is
// given a system and a context, and returns how many spans a traced one makes.
func benchTraced(b *testing.B, name string, bench func(b *testing.B, ctx context.Context, sys *mailbox.System) int) {
	for _, tracing := range []string{"untraced", "unsampled", "traced"} {
		b.Run(name+tracing, func(b *testing.B) {
			ctx, spans := b.Context(), &spanCounter{}
			switch tracing {
			case "unsampled":
				ctx = trace.ContextWithSpanContext(ctx, unsampled)
			case "traced":
				ctx = trace.ContextWithSpanContext(ctx, unsampled.WithTraceFlags(trace.FlagsSampled))
			}
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			b.ReportAllocs()
			want := bench(b, ctx, mailbox.NewSystem(mailbox.WithTracerProvider(provider)))
			if tracing != "traced" {
				want = 0
			}
			require.EqualValues(b, want, spans.ended.Load())
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for _, senders := range []int{1, 8} {
		benchTraced(b, fmt.Sprintf("%d/", senders), func(b *testing.B, ctx context.Context, sys *mailbox.System) int {
			handled := 0
			ref := spawn(b, sys, "worker", func(context.Context, int) error {
				handled++
				return nil
			})
			b.ResetTimer()
			var wg sync.WaitGroup
			for sender := range senders {
				wg.Go(func() {
					for i := sender; i < b.N; i += senders {
						_ = ref.Send(ctx, i)
					}
				})
			}
			wg.Wait()
			drain(b, sys)
			b.StopTimer()
			require.Equal(b, b.N, handled)
			return b.N
		})
	}
}

type question struct {
	n     int
	reply mailbox.Reply[int]
}

func BenchmarkCall(b *testing.B) {
	bench := func(b *testing.B, ctx context.Context, sys *mailbox.System) int {
		ref := spawn(b, sys, "worker", func(_ context.Context, q question) error {
			q.reply.Answer(q.n + 1)
			return nil
		})
		b.ResetTimer()
		for i := range b.N {
			n, err := mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) question { return question{i, r} })
			if err != nil || n != i+1 {
				b.Fatal(n, err)
			}
		}
		b.StopTimer()
		drain(b, sys)
		require.EqualValues(b, b.N, sys.Stats().Handled)
		return 2 * b.N
	}
	benchTraced(b, "", bench)
	benchTraced(b, "deadline/", func(b *testing.B, ctx context.Context, sys *mailbox.System) int {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		return bench(b, ctx, sys)
	})
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		benchTraced(b, fmt.Sprintf("%d/", n), func(b *testing.B, ctx context.Context, sys *mailbox.System) int {
			var all sync.WaitGroup
			group := newGroup[int](b, sys, "workers")
			for range n {
				require.NoError(b, group.Join(spawn(b, sys, "worker", func(context.Context, int) error {
					all.Done()
					return nil
				})))
			}
			sampled := 0
			b.ResetTimer()
			for i := range b.N {
				all.Add(n)
				d := group.Broadcast(ctx, i)
				if d.Delivered != n {
					b.Fatalf("%+v", d)
				}
				sampled += d.Sampled
				all.Wait()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
			drain(b, sys)
			require.EqualValues(b, b.N*n, sys.Stats().Handled)
			return b.N + sampled
		})
	}
}

func BenchmarkSpawn(b *testing.B) {
	const batch = 1000
	b.ReportAllocs()
	for spawned := 0; spawned < b.N; spawned += batch {
		sys := mailbox.NewSystem()
		kind := newKind[job](b, sys, "worker")
		for range min(batch, b.N-spawned) {
			if _, err := kind.Spawn("", do); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		drain(b, sys)
		b.StartTimer()
	}
}

// BenchmarkRefused measures what an event costs.
func BenchmarkRefused(b *testing.B) {
	for name, opts := range map[string][]mailbox.SystemOption{
		"nobody hears": {mailbox.WithLogger(nil)},
		"a hook":       {mailbox.WithLogger(nil), mailbox.WithEventHook(func(mailbox.Event) {})},
		"a hook for other events": {
			mailbox.WithLogger(nil), mailbox.WithEventHook(func(mailbox.Event) {}, mailbox.ProcessEnded),
		},
	} {
		b.Run(name, func(b *testing.B) {
			ref := spawn(b, newSystem(b, opts...), "worker", do)
			require.NoError(b, ref.Stop(context.Background()))
			b.ReportAllocs()
			for b.Loop() {
				require.ErrorIs(b, ref.Send(context.Background(), nothing), mailbox.ErrStopped)
			}
		})
	}
}

// BenchmarkKindStats measures what counting costs for each process: for those that all is
// counted of in one word, and for those that have a lock.
func BenchmarkKindStats(b *testing.B) {
	const processes = 100_000
	for _, test := range []struct {
		name string
		had  func(mailbox.Ref[job])
	}{{"idle", func(mailbox.Ref[job]) {}}, {"idle, was watched", func(r mailbox.Ref[job]) { r.Done() }}} {
		b.Run(test.name, func(b *testing.B) {
			sys := newSystem(b)
			kind := newKind[job](b, sys, "worker")
			for range processes {
				ref, err := kind.Spawn("", do)
				require.NoError(b, err)
				require.NoError(b, ref.Send(context.Background(), nothing))
				test.had(ref)
			}
			require.Eventually(b, func() bool { return sys.Stats().Queued == 0 }, patience, time.Millisecond)
			b.ReportAllocs()
			for b.Loop() {
				require.EqualValues(b, processes, sys.KindStats()["worker"].Handled)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/processes, "ns/process")
		})
	}
}

// BenchmarkDurations measures what the histograms of durations cost: nothing where a message
// is not timed.
func BenchmarkDurations(b *testing.B) {
	for _, test := range []struct {
		name     string
		metrics  bool
		oneIn    int
		measured bool
	}{
		{"no metrics", false, 0, false},
		{"metrics, not timed", true, 0, false},
		{"metrics, one in 1000 timed", true, 1000, false},
		{"metrics, all timed", true, 1, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			control, err := sampling.NewControl(sampling.Config{Default: sampling.KindConfig{TimeOneIn: test.oneIn}})
			require.NoError(b, err)
			opts, reader := []mailbox.SystemOption{mailbox.WithControl(control)}, sdkmetric.NewManualReader()
			if test.metrics {
				opts = append(opts, mailbox.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
			}
			sys := newSystem(b, opts...)
			ref := spawn(b, sys, "worker", func(context.Context, int) error { return nil })
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				_ = ref.Send(context.Background(), i)
			}
			drain(b, sys)
			b.StopTimer()
			if test.metrics {
				count := histograms(b, reader)[handlingDuration+" worker int"].Count
				require.Equal(b, test.measured, count == uint64(b.N), "%d are measured", count)
			}
		})
	}
}
