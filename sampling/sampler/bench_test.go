// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/sampling/sampler"
)

// counter is a processor that does nothing but count what was recorded.
type counter struct{ ended int }

func (*counter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *counter) OnEnd(sdktrace.ReadOnlySpan)                   { c.ended++ }
func (*counter) Shutdown(context.Context) error                  { return nil }
func (*counter) ForceFlush(context.Context) error                { return nil }

// newCounting returns a tracer and the count of the spans that it recorded.
func newCounting(tb testing.TB, s sdktrace.Sampler) (trace.Tracer, *counter) {
	tb.Helper()
	c := new(counter)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithSpanProcessor(c))
	tb.Cleanup(func() { require.NoError(tb, provider.Shutdown(context.Background())) })
	return provider.Tracer("test"), c
}

// deep puts ctx below a few values and cancellations, as a server does.
func deep(tb testing.TB, ctx context.Context) context.Context {
	tb.Helper()
	type key int
	for i := range 8 {
		ctx = context.WithValue(ctx, key(i), i) //nolint:fatcontext // That is the point.
	}
	ctx, cancel := context.WithCancel(ctx)
	tb.Cleanup(cancel)
	return ctx
}

// turn is how many spans are started and ended between two looks at the clock.
const turn = 256

func startAndEnd(ctx context.Context, tracer trace.Tracer, opts ...trace.SpanStartOption) {
	for range turn {
		_, span := tracer.Start(ctx, "work", opts...)
		span.End()
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkSpan starts and ends spans with the wrapper and without it, by turns,
// and gives the medians of the times and of their ratio. Below a fan-out there are two baselines: a span that says
// nothing, and one that is started with the same attributes.
func BenchmarkSpan(b *testing.B) {
	parentBased := sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5))
	stands := fanout.Fanout{Weight: 1000, Probability: 0.001, Size: 10_000, Depth: 1}
	vendor := parseState(b, "vendor=1,other=2")
	for _, c := range []struct {
		name     string
		ctx      context.Context
		next     sdktrace.Sampler
		baseline []trace.SpanStartOption
		recorded bool
	}{
		{"root", context.Background(), sdktrace.AlwaysSample(), nil, true},
		{"child", below(spanContext(trace.FlagsSampled)), parentBased, nil, true},
		{"child/unsampled", below(spanContext(0)), parentBased, nil, false},
		{"child/tracestate", below(spanContext(trace.FlagsSampled).WithTraceState(vendor)), parentBased, nil, true},
		{"sentinel", below(envelope.Sentinel()), parentBased, nil, false},
		{"fanout/bare", below(spanContext(trace.FlagsSampled).WithTraceState(stands.AddTo(vendor))), parentBased, nil, true},
		{
			"fanout/attributes", below(spanContext(trace.FlagsSampled).WithTraceState(stands.AddTo(vendor))), parentBased,
			[]trace.SpanStartOption{trace.WithAttributes(stands.Attributes(nil)...)}, true,
		},
	} {
		b.Run(c.name, func(b *testing.B) {
			bare, bareCount := newCounting(b, c.next)
			wrapped, wrappedCount := newCounting(b, sampler.Wrap(c.next))
			ctx := deep(b, c.ctx)
			work := [2]func(){
				func() { startAndEnd(ctx, bare, c.baseline...) },
				func() { startAndEnd(ctx, wrapped) },
			}
			var times [2][]float64
			var ratios []float64
			for b.Loop() {
				var took [2]time.Duration
				first := len(ratios) % 2 // Neither always has the other's garbage to collect.
				for _, i := range []int{first, 1 - first} {
					began := time.Now()
					work[i]()
					took[i] = time.Since(began)
					times[i] = append(times[i], float64(took[i])/turn)
				}
				ratios = append(ratios, float64(took[1])/float64(took[0]))
			}
			want := 0
			if c.recorded {
				want = len(ratios) * turn
			}
			require.Equal(b, want, bareCount.ended)
			require.Equal(b, want, wrappedCount.ended)
			b.ReportMetric(0, "ns/op") // That of a turn says nothing.
			b.ReportMetric(median(times[0]), "bare-ns/span")
			b.ReportMetric(median(times[1]), "wrapped-ns/span")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}
