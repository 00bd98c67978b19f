// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// Totals of a skewed quantity that grows with the size of the fan-out.
func TestTotalsAreUnbiased(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	broadcasts := fleet(fixed(1), mixed()...)
	values := all(broadcasts)
	wanted := []quantity{total(values), above(values, 30)}
	for _, test := range []struct {
		name   string
		config sampling.GroupConfig
		trials int
	}{
		{"default", sampling.GroupConfig{}, 150},
		{"capped", sampling.GroupConfig{MaxSpans: 3}, 150},
		{"one now and then", flat(t, 0.0004), 150},
		{"three of four traced", flat(t, 0.75), 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := judge(t, test.trials, handled(runs(t, 2, each(test.config, broadcasts))), wanted...)
			require.NoError(t, got["total"].unbiased())
			require.NoError(t, got["above"].unbiased())
		})
	}
	// Negative control: spans counted as they are.
	asTheyAre := func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			plan := planning.Planner{Random: f.random}.Plan(len(b))
			for _, i := range plan.Sampled {
				f.span("session", f.root(t, ""), b[i])
			}
		}
	}
	got := judge(t, 20, handled(runs(t, 2, asTheyAre)), wanted...)
	require.Error(t, got["total"].unbiased())
	require.Error(t, got["above"].unbiased())
}

// A sample that holds the slow ones only knows by the broadcasts of the others: that their
// number is left to chance is in its standard error.
func TestSubsetsHaveHonestStandardErrors(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	const limit = 9
	var broadcasts []broadcast
	for range 100 {
		broadcasts = append(broadcasts, fleet(fixed(1), 100)[0])
	}
	values := all(broadcasts)
	slow := func(spans func() *estimate.Spans) func() *estimate.Sample {
		return func() *estimate.Sample {
			return spans().Select(func(s estimate.Span) (float64, bool) {
				v := s.EndTime().Sub(s.StartTime()).Seconds()
				return v, s.Name() == "session" && v > limit
			}).Handled
		}
	}
	number := countOf(int(above(values, limit).truth))
	got := judge(t, 200, slow(runs(t, 4, each(sampling.GroupConfig{}, broadcasts))), number)["count"]
	require.NoError(t, got.unbiased())
	require.NoError(t, got.covers(0.88, 1))
	require.NoError(t, got.honest(0.8, 1.2))
	// Negative control: half of it.
	got = judge(t, 200, slow(runs(t, 4, each(sampling.GroupConfig{}, broadcasts))), quantity{
		"count", number.truth, func(s *estimate.Sample) estimate.Estimate {
			e := s.Count()
			e.StdErr /= 2
			e.Low, e.High = (e.Low+e.Value)/2, (e.High+e.Value)/2
			return e
		},
	})["count"]
	require.Error(t, got.honest(0.8, 1.2))
	require.Error(t, got.covers(0.88, 1))
}

// textbook has one broadcast to n, of which values are of the chosen ones.
func textbook(t *testing.T, n int, values ...float64) *estimate.Sample {
	t.Helper()
	f := &forge{random: fixed(60)}
	plan := planOf(limitedTo(len(values)), n, f.random)
	cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
	for _, v := range values {
		f.recipient("session", cast, plan.Recipient(0), v)
	}
	return f.collect().Named("session").Handled
}

// The formulas, on numbers small enough to follow.
func TestOneFanoutByTheTextbook(t *testing.T) {
	values := []float64{3, 5, 4, 8}
	const n, k = 20, 4
	s := textbook(t, n, values...)
	assert.Equal(t, estimate.Estimate{Value: n, Low: n, High: n, Spans: k}, s.Count())
	got := s.Total()
	assert.InDelta(t, 100, got.Value, 1e-9)
	assert.InDelta(t, math.Sqrt(n*n*(1-k/float64(n))*variance(values)/k), got.StdErr, 1e-9)
	assert.InDelta(t, 5, s.Mean().Value, 1e-9)
	assert.InDelta(t, got.StdErr/n, s.Mean().StdErr, 1e-9)
}

func variance(values []float64) (v float64) {
	m := sum(values) / float64(len(values))
	for _, x := range values {
		v += (x - m) * (x - m) / float64(len(values)-1)
	}
	return v
}

// The variance of two stages: that between relays, and a part of that within each
// (Cochran, 1977, chapter 11).
func TestTwoStagesByTheTextbook(t *testing.T) {
	const relaysAll, relaysChosen = 10, 2
	sessions := []struct {
		size   int
		values []float64
	}{{6, []float64{3, 5, 4}}, {8, []float64{10, 6}}}
	f := &forge{random: fixed(61)}
	outer := planOf(limitedTo(relaysChosen), relaysAll, f.random)
	cast := f.broadcast("outer", f.root(t, ""), fanout.Fanout{}, outer)
	above := outer.Recipient(0)
	var totals []float64
	want := 0.0
	for _, relay := range sessions {
		k := len(relay.values)
		plan := planning.Planner{Config: limitedTo(k), Above: above, Random: f.random}.Plan(relay.size)
		inner := f.broadcast("inner", f.recipient("relay", cast, above, 0), above, plan)
		for _, v := range relay.values {
			f.recipient("session", inner, plan.Recipient(0), v)
		}
		share := float64(k) / float64(relay.size)
		totals = append(totals, sum(relay.values)/share)
		want += relaysAll / relaysChosen * float64(relay.size*relay.size) * (1 - share) * variance(relay.values) / float64(k)
	}
	want += relaysAll * relaysAll * (1 - float64(relaysChosen)/relaysAll) * variance(totals) / relaysChosen
	got := f.collect().Named("session").Handled.Total()
	assert.InDelta(t, relaysAll/relaysChosen*sum(totals), got.Value, 1e-9)
	assert.InDelta(t, math.Sqrt(want), got.StdErr, 1e-6)
	assert.InDelta(t, 2, got.Spans, 0.1, "of two relays")
}

// Those chosen that a sample does not hold are zeros.
func TestAbsentRecipientsAreZeros(t *testing.T) {
	all := textbook(t, 100, 7, 9, 0, 0, 0)
	f := &forge{random: fixed(62)}
	plan := planOf(limitedTo(5), 100, f.random)
	cast, fanout := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan), plan.Recipient(0)
	for i, v := range []float64{7, 9, 1, 1, 1} {
		f.recipient([]string{"session", "other"}[i/2%2|i/4], cast, fanout, v)
	}
	some := f.collect().Named("session").Handled
	assert.InDelta(t, all.Total().StdErr, some.Total().StdErr, 1e-9)
	assert.InDelta(t, all.Above(1).Value, some.Count().Value, 1e-9)
}

// Several spans of one recipient are one draw, however they are split.
func TestSpansOfOneRecipientAreOneDraw(t *testing.T) {
	whole := textbook(t, 30, 7, 9, 2)
	f := &forge{random: fixed(63)}
	plan := planOf(limitedTo(3), 30, f.random)
	cast, stands := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan), plan.Recipient(0)
	for _, v := range []float64{7, 9, 2} {
		at := f.recipient("recipient", cast, stands, v)
		for range 4 {
			at = f.span("session", at, v/4, stands.Attributes(nil)...)
		}
	}
	split := f.collect().Named("session").Handled
	assert.InDelta(t, whole.Total().Value, split.Total().Value, 1e-9)
	assert.InDelta(t, whole.Total().StdErr, split.Total().StdErr, 1e-9)

	// More below the broadcast than it has chosen cannot be its recipients: all is one draw.
	f = &forge{random: fixed(64)}
	cast = f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
	for range 12 {
		f.recipient("session", cast, stands, 1.5)
	}
	mixed := f.collect().Named("session").Handled.Total()
	assert.InDelta(t, mixed.Value, mixed.StdErr, 1e-9)
}

// Of a budget that is shared out to relays, the recipients are one choice: what is the same
// for all of them is known.
func TestSharedBudgetByTheTextbook(t *testing.T) {
	f := &forge{random: fixed(65)}
	sizes := []int{10, 20, 30, 40}
	f.castRelays(f.root(t, ""), planning.Planner{Config: limitedTo(60), Random: f.random}, sizes,
		func(i int, relay trace.SpanContext, planner planning.Planner) {
			f.castBelow(relay, planner.Above, planner.Plan(sizes[i]), make([]float64, sizes[i]))
		})
	s := f.collect()
	sessions := s.Named("session").Handled.Count()
	exactly(t, 100, sessions)
	assert.InDelta(t, 60, sessions.Spans, 1e-9)
	assert.Equal(t, estimate.Estimate{Value: 4, Low: 4, High: 4, Spans: 4}, s.Named("relay").Handled.Count(), "all of them")
}
