// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

func drawn(n int, draw func() float64) broadcast {
	b := make(broadcast, n)
	for i := range b {
		b[i] = draw()
	}
	return b
}

func logNormal(random *rand.Rand, sigma float64) broadcast {
	return drawn(10_000, func() float64 { return math.Exp(sigma * random.NormFloat64()) })
}

// carried is a broadcast of which a share of recipients carries most of the total.
func carried(random *rand.Rand, share float64) broadcast {
	return drawn(10_000, func() float64 {
		v := math.Exp(0.3 * random.NormFloat64())
		if random.Float64() < share {
			v *= 5 / share
		}
		return v
	})
}

// An interval that is given holds the truth nearly as often as it says, or it is not given.
func TestFewSpansGiveNoInterval(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	random := fixed(51)
	// That of Student, whatever the number of spans.
	naive := func(e estimate.Estimate) estimate.Estimate {
		e.Low, e.High = e.Value-2.26*e.StdErr, e.Value+2.26*e.StdErr
		return e
	}
	for _, test := range []struct {
		name          string
		values        broadcast
		low           float64 // the least coverage that it has with as many spans as it takes
		tenLow, tenHi float64 // of Student's intervals with ten
	}{
		{"log-normal, 0.5", logNormal(random, 0.5), 0.9, 0.85, 0.97},
		{"log-normal, 1", logNormal(random, 1), 0.89, 0.75, 0.92},
		{"log-normal, 1.5", logNormal(random, 1.5), 0.85, 0.6, 0.82},
		{"log-normal, 2", logNormal(random, 2), 0.78, 0.4, 0.72},
		{"one in twenty carries most", carried(random, 0.05), 0.87, 0.3, 0.55},
	} {
		t.Run(test.name, func(t *testing.T) {
			truth := total(test.values)
			once := func(k int) func() *estimate.Sample {
				return handled(runs(t, 52, each(limitedTo(k), []broadcast{test.values})))
			}
			fifty := judge(t, 500, once(50), truth, mean(test.values))
			require.NoError(t, fifty["total"].covers(test.low, 1))
			require.NoError(t, fifty["mean"].covers(test.low, 1))

			e := once(49)().Total()
			assert.True(t, math.IsInf(e.Low, -1) && math.IsInf(e.High, 1), "%+v", e)
			assert.InDelta(t, 49, e.Spans, 1e-9)
			assert.False(t, math.IsInf(e.StdErr, 0), "that is known")
			assert.Contains(t, e.String(), "(of 49 spans)")
			assert.NotContains(t, once(50)().Total().String(), "spans")

			// Negative control: that is why.
			ten := judge(t, 500, once(10), quantity{"total", truth.truth, func(s *estimate.Sample) estimate.Estimate {
				return naive(s.Total())
			}})["total"]
			require.NoError(t, ten.covers(test.tenLow, test.tenHi))
		})
	}
}

// Spans that stand for more count for less, and those of one recipient are one.
func TestHowManySpansAnEstimateRestsOn(t *testing.T) {
	f := &forge{random: fixed(53)}
	f.cast(t, limitedTo(10), make([]float64, 1000))
	f.cast(t, limitedTo(90), make([]float64, 90))
	assert.InDelta(t, 10, f.collect().Named("session").Handled.Mean().Spans, 1e-9, "those that are there for certain")
	f.cast(t, limitedTo(10), make([]float64, 10_000))
	assert.InDelta(t, 11_000.0*11_000/(10*100*100+10*1000*1000), f.collect().Named("session").Handled.Mean().Spans, 1e-9)

	f = &forge{random: fixed(54)}
	cut(sampling.GroupConfig{}, []broadcast{make([]float64, 100)})(t, f)
	assert.InDelta(t, 10, f.collect().Named("session").Handled.Count().Spans, 1e-9)

	f = &forge{random: fixed(55)}
	f.cast(t, limitedTo(7), make([]float64, 7))
	e := f.collect().Named("session").Handled.Total()
	assert.Equal(t, estimate.Estimate{Spans: 7}, e, "nothing was left to chance")
}

// Slow messages that nobody had chosen are known by their late spans, although these do not
// count: then an interval that has no room for them has no end.
func TestWhatIsKnownToBeMissing(t *testing.T) {
	t.Parallel()                        // It takes seconds, and all its chance is its own.
	values := carried(fixed(56), 0.002) // A broadcast of 100 mostly chooses none of these.
	wanted := []quantity{total(values), mean(values)}
	got := judge(t, 150, handled(runs(t, 57, late(limitedTo(100), []broadcast{values}, uncounted))), wanted...)
	for name, o := range got {
		require.NoError(t, o.covers(0.9, 1), name)
	}
	// Negative control: nobody knows of them.
	got = judge(t, 150, handled(runs(t, 57, late(limitedTo(100), []broadcast{values}, nil))), wanted...)
	require.Error(t, got["total"].covers(0.5, 1))
}

// What was never seen is not known to be nothing, unless nothing was left to chance.
func TestNothingSeen(t *testing.T) {
	f := &forge{random: fixed(58)}
	f.cast(t, sampling.GroupConfig{}, make([]float64, 3000))
	nothing := f.collect().Named("other").Handled
	for _, e := range []estimate.Estimate{nothing.Count(), nothing.Total(), nothing.Above(1)} {
		assert.Equal(t, estimate.Estimate{StdErr: math.Inf(1), Low: math.Inf(-1), High: math.Inf(1)}, e)
	}
	for _, e := range []estimate.Estimate{nothing.Mean(), nothing.Quantile(0.5)} {
		assert.True(t, math.IsNaN(e.Value))
		assert.True(t, math.IsInf(e.StdErr, 1))
	}
	f = &forge{random: fixed(59)}
	f.cast(t, sampling.GroupConfig{Curve: sampling.Always()}, make([]float64, 30))
	assert.Equal(t, estimate.Estimate{}, f.collect().Named("other").Handled.Count())
	var none estimate.Spans
	assert.Equal(t, estimate.Estimate{}, none.Named("other").Handled.Count())
}
