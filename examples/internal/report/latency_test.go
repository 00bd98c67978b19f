// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// counted is what every session measured.
type counted struct {
	mu      sync.Mutex
	seconds []float64
}

func (c *counted) took(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seconds = append(c.seconds, d.Seconds())
}

func (c *counted) quantile(q float64) float64 {
	slices.Sort(c.seconds)
	return c.seconds[int(math.Ceil(q*float64(len(c.seconds))))-1]
}

// What few spans say of all deliveries is what was counted, within what they say that they
// may be off. Most deliveries are those of large broadcasts, which take longer.
func TestLatencyIsWhatWasCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slowAfter = 500 * time.Millisecond // Nothing comes near to it.
		sums := report.NewSums("session", 1)
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(sums))
		settings := sampling.Config{}
		settings.Default.Late = sampling.Late{SlowerThan: slowAfter, CountSlow: true, PerSecond: sampling.Unlimited}
		control, err := sampling.NewControl(settings)
		require.NoError(t, err)
		sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(control))
		session, err := mailbox.NewKind[time.Duration](sys, "session", mailbox.WithDedicatedGoroutine())
		require.NoError(t, err)
		other, err := mailbox.NewKind[time.Duration](sys, "other", mailbox.WithDedicatedGoroutine())
		require.NoError(t, err)
		var truth counted
		group := func(name string) *mailbox.Group[time.Duration] {
			g, err := mailbox.NewGroup[time.Duration](sys, name)
			require.NoError(t, err)
			return g
		}
		small, large, others := group("small"), group("large"), group("others")
		join := func(g *mailbox.Group[time.Duration], k *mailbox.Kind[time.Duration], i int, took func(time.Duration)) {
			ref, err := k.Spawn("", func(_ context.Context, least time.Duration) error {
				d := least + time.Duration(i%50)*time.Millisecond
				if i%50 == 49 {
					d += time.Second
				}
				time.Sleep(d)
				took(d)
				return nil
			})
			require.NoError(t, err)
			require.NoError(t, g.Join(ref))
		}
		for i := range 1000 {
			join(large, session, i, truth.took)
			if i < 5 {
				join(small, session, i, truth.took)
			}
			join(others, other, i, func(time.Duration) {})
		}
		for range 30 {
			ctx, root := provider.Tracer("test").Start(t.Context(), "root")
			large.Broadcast(ctx, 42*time.Millisecond)
			for range 40 {
				small.Broadcast(ctx, 0)
				time.Sleep(10 * time.Millisecond)
			}
			others.Broadcast(ctx, time.Second)
			root.End()
			time.Sleep(10 * time.Second)
		}
		require.NoError(t, sys.Shutdown(context.Background()))

		l := sums.Finish().Latency
		assert.Equal(t, l.All.Tally().Counted, l.Spans)
		slow := 0
		for _, s := range truth.seconds {
			if s >= slowAfter.Seconds() {
				slow++
			}
		}
		assert.Equal(t, float64(slow), l.Slow.Count().Value)
		assert.Zero(t, l.Slow.Count().StdErr)
		near := func(truth float64, e estimate.Estimate) bool { // To 6 standard errors, and a millisecond of waiting.
			return e.Value-3*(e.Value-e.Low)-0.001 <= truth && truth <= e.Value+3*(e.High-e.Value)+0.001
		}
		for _, q := range []float64{0.2, 0.5, 0.8, 0.97} {
			e := l.All.Quantile(q)
			assert.True(t, near(truth.quantile(q), e), "%v: %+v, not %v", q, e, truth.quantile(q))
			assert.False(t, q < 0.9 && (math.IsInf(e.High, 0) || math.IsInf(e.Low, 0)), "%v", e)
		}
		count := l.All.Count()
		assert.True(t, near(float64(len(truth.seconds)), count), "%+v, not %v", count, len(truth.seconds))
		// Negative control: the quantile of the deliveries to small groups is another.
		assert.False(t, near(0.003, l.All.Quantile(0.5)))
	})
}

// Of traces of which a share is kept, what is estimated is that of all.
func TestLatencyOfTracesThatWereNotKept(t *testing.T) {
	for _, head := range []float64{0, 1, 0.25} {
		sums := report.NewSums("session", head)
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(sums))
		for range 8 {
			_, span := provider.Tracer("test").Start(t.Context(), "session string",
				trace.WithAttributes(attribute.Key("waybill.process.kind").String("session")))
			span.End()
		}
		want := 8.0
		if head > 0 {
			want /= head
		}
		assert.InDelta(t, want, sums.Finish().Latency.All.Count().Value, 1e-9)
	}
}
