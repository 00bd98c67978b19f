// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// Whole spans, as package mailbox makes them, and not a word of what they stand for.
func TestDeliveriesOfABroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, sampling.Late{})
		g := p.group("session", 10_000, handling)
		for range 5 {
			p.trace(func(ctx context.Context) { g.Broadcast(ctx, event{}) })
		}
		spans := p.estimates()
		d := spans.Named("session event")
		exactly(t, 50_000, d.Handled.Count())
		exactly(t, 50, d.Handled.Total())
		exactly(t, 0.001, d.Handled.Mean())
		assert.Equal(t, 0.001, d.Handled.Quantile(0.99).Value)
		assert.Zero(t, d.Refused.Count().Value)
		assert.Zero(t, d.Dead.Count().Value)
		assert.Equal(t, 50.0, d.Handled.Count().Spans)
		assert.True(t, math.IsInf(d.Dead.Count().High, 1), "of what nobody saw nobody knows")
		assert.Zero(t, spans.Tally().Orphans)
		assert.Equal(t, spans.Tally().Spans, spans.Tally().Headless, "the SDK's samplers do not say it")
		exactly(t, 5, spans.Named("root").Handled.Count())
	})
}

// A message of which nobody took notice is not a delivery, and one that was thrown away
// is none either.
func TestRefusedAndDeadAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members, blocked = 40, 10
		p := newProgram(t, sampling.Late{})
		small, err := mailbox.NewKind[event](p.sys, "session", mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.Refuse))
		require.NoError(t, err)
		p.kinds["session"] = small
		gate := make(chan struct{})
		g := p.group("session", members, func(_ context.Context, i int) error {
			if i < blocked {
				<-gate
			}
			return errors.New("that is handled, too")
		}, mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
		for range 4 { // Those that are blocked handle one, keep one and refuse two.
			p.trace(func(ctx context.Context) { g.Broadcast(ctx, event{}) })
			time.Sleep(time.Second)
		}
		close(gate)
		d := p.estimates().Named("session event")
		exactly(t, 4*members-2*blocked, d.Handled.Count())
		exactly(t, 2*blocked, d.Refused.Count())
		assert.Zero(t, d.Dead.Count().Value)
	})
}

// The right value of what is broadcast through relays is known without any error: the
// weights of the sessions sum to their number in every single broadcast.
func TestDeliveriesBehindRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, sampling.Late{})
		relays := p.newGroup("relays",
			mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 100}))
		sizes := map[mailbox.Ref[event]]int{}
		for _, n := range []int{1, 1, 2, 3, 5, 8, 20, 50, 100, 300, 500} {
			g := p.group("session", n, handling, mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
			relay := p.spawn("relay", func(ctx context.Context, e event) error {
				g.Broadcast(ctx, e)
				return nil
			})
			require.NoError(t, relays.Join(relay))
			sizes[relay] = n
		}
		p.trace(func(ctx context.Context) {
			relays.BroadcastRelays(ctx, event{}, func(r mailbox.Ref[event]) int { return sizes[r] })
		})
		d := p.estimates().Named("session event")
		exactly(t, 990, d.Handled.Count())
		exactly(t, 0.001, d.Handled.Mean())
		exactly(t, 0.990, d.Handled.Total())
	})
}

// What begins a trace of its own, at a recipient or because a chain has become too long,
// is below the broadcast all the same: estimates are those of one trace.
func TestLinkedTracesAreOneTree(t *testing.T) {
	run := func(t *testing.T, systems []mailbox.SystemOption, groups ...mailbox.GroupOption) (d estimate.Deliveries, roots int) {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram(t, sampling.Late{}, systems...)
			sink := p.spawn("sink", func(context.Context, event) error { return nil })
			again := p.spawn("again", sink.Send)
			groups = append(groups, mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 5}))
			g := p.group("session", 100, func(ctx context.Context, i int) error {
				time.Sleep(time.Duration(i%2+1) * time.Millisecond)
				return again.Send(ctx, event{})
			}, groups...)
			for range 20 {
				p.trace(func(ctx context.Context) { g.Broadcast(ctx, event{}) })
				time.Sleep(time.Second)
			}
			spans := p.estimates()
			assert.Zero(t, spans.Tally().Orphans)
			d = spans.Select(func(s estimate.Span) (float64, bool) {
				if s.Name() == "again event" && !s.Parent().IsValid() {
					roots++
				}
				return s.EndTime().Sub(s.StartTime()).Seconds(), s.Name() == "session event" || s.Name() == "sink event"
			})
			exactly(t, 2000, spans.Named("session event").Handled.Count())
			sinks := spans.Named("sink event").Handled.Count()
			assert.InDelta(t, 2000, sinks.Value, 1e-6)
			assert.InDelta(t, 20/math.Sqrt2, sinks.StdErr, 0.2, "not every session need have sent to it")
		})
		return d, roots
	}
	plain, _ := run(t, nil)
	linked, _ := run(t, nil, mailbox.WithLinkedRoots())
	cut, roots := run(t, []mailbox.SystemOption{mailbox.WithChainLimit(1, 0)})
	require.Equal(t, 100, roots, "chains are cut")
	both, _ := run(t, []mailbox.SystemOption{mailbox.WithChainLimit(1, 0)}, mailbox.WithLinkedRoots())
	for name, d := range map[string]estimate.Deliveries{"linked": linked, "cut": cut, "both": both} {
		assert.InDelta(t, 4000, d.Handled.Count().Value, 1e-6, name)
		for _, of := range []func(*estimate.Sample) estimate.Estimate{(*estimate.Sample).Total, (*estimate.Sample).Mean} {
			got, want := of(d.Handled), of(plain.Handled)
			assert.InEpsilon(t, want.Value, got.Value, 0.25, name) // By chance, 100 times 1 ms or 2.
			assert.InEpsilon(t, want.StdErr, got.StdErr, 0.25, "%s: %+v, not %+v", name, got, want)
		}
		for _, q := range []float64{0.2, 0.9} {
			assert.False(t, math.IsInf(d.Handled.Quantile(q).High, 0), "%s: %+v", name, d.Handled.Quantile(q))
		}
	}
}

// forgetful is a sampler that hands no tracestate on, and gives no attributes.
type forgetful struct{ sdktrace.Sampler }

func (f forgetful) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	r := f.Sampler.ShouldSample(p)
	r.Tracestate = trace.TraceState{}
	return r
}

// Spans that users start themselves have no weight without the wrapper. Their tracestate
// has it, if the sampler hands that on; else it must not be taken for 1.
func TestSpansWithoutAWeight(t *testing.T) {
	run := func(t *testing.T, s sdktrace.Sampler) (d estimate.Deliveries) {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram(t, sampling.Late{})
			own := sdktrace.NewTracerProvider(sdktrace.WithSyncer(p.exporter), sdktrace.WithSampler(s))
			g := p.group("session", 10_000, func(ctx context.Context, _ int) error {
				ctx, query := own.Tracer("test").Start(ctx, "query")
				_, row := own.Tracer("test").Start(ctx, "row")
				row.End()
				query.End()
				return nil
			})
			for range 20 {
				p.trace(func(ctx context.Context) {
					_, above := own.Tracer("test").Start(ctx, "row")
					above.End()
					g.Broadcast(ctx, event{})
				})
			}
			d = p.estimates().Named("row")
		})
		return d
	}
	d := run(t, sdktrace.ParentBased(sdktrace.AlwaysSample()))
	assert.InDelta(t, 200_020, d.Handled.Count().Value, 1e-6)
	assert.Less(t, d.Handled.Count().StdErr, 1000.0, "nearly every session has one")
	assert.Zero(t, d.Handled.Tally().Unweighted)

	d = run(t, forgetful{sdktrace.ParentBased(sdktrace.AlwaysSample())})
	assert.Equal(t, 200, d.Handled.Tally().Unweighted)
	assert.Equal(t, 20, d.Handled.Tally().Counted)
	for _, e := range []estimate.Estimate{
		d.Handled.Count(), d.Handled.Total(), d.Handled.Mean(), d.Handled.Above(0), d.Handled.Quantile(0.5),
	} {
		assert.True(t, math.IsInf(e.StdErr, 1), "%+v", e)
		assert.True(t, math.IsInf(e.High, 1), "%+v", e)
	}
}

// What a cap has shed is in no estimate: it is said beside them, as what it stands for.
func TestWhatShedIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, traced, sessions = 8, 4, 100
		p := newProgram(t, sampling.Late{SlowerThan: time.Millisecond, CountSlow: true, PerSecond: sampling.Unlimited})
		outer := p.newGroup("relays",
			mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: traced}))
		for i := range relays {
			limited := sampling.GroupConfig{Curve: sampling.Always()}
			if i%2 == 0 {
				limited.MaxSpansPerSecond = 1
			}
			inner := p.group("session", sessions, handling, mailbox.WithSampling(limited))
			require.NoError(t, outer.Join(p.spawn("relay", func(ctx context.Context, e event) error {
				inner.Broadcast(ctx, e)
				inner.Broadcast(ctx, e)
				return nil
			})))
		}
		for range 10 {
			p.trace(func(ctx context.Context) { outer.Broadcast(ctx, event{}) })
			time.Sleep(time.Second)
		}
		spans := p.estimates()
		d := spans.Named("session event")
		require.Positive(t, d.Handled.Tally().Uncounted, "the slow ones, as a check")
		shed := d.Shed
		require.Positive(t, shed.Value)
		assert.Zero(t, spans.Named("relay event").Shed.Value, "it is not of these")
		assert.InDelta(t, 10*2*relays*sessions, shed.Value+d.Handled.Count().Value, 1e-6)
		assert.Positive(t, shed.StdErr, "which relays were chosen is chance")
	})
}
