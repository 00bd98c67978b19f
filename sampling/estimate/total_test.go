// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// adder says how an observation is added to a sample.
type adder func(s *estimate.Sample, value float64, f sampling.Fanout, stage estimate.Stage)

func staged(s *estimate.Sample, value float64, f sampling.Fanout, stage estimate.Stage) {
	s.Add(value, f.Weight, stage)
}

func unstaged(s *estimate.Sample, value float64, f sampling.Fanout, _ estimate.Stage) {
	s.Add(value, f.Weight)
}

func unweighted(s *estimate.Sample, value float64, _ sampling.Fanout, _ estimate.Stage) {
	s.Add(value, 1)
}

// sampler returns a function that chooses recipients of the broadcasts anew each time.
func sampler(c sampling.Config, seed uint64, broadcasts []broadcast, add adder) func() *estimate.Sample {
	random := fixed(seed)
	return func() *estimate.Sample {
		s := &estimate.Sample{}
		observe(c, random, broadcasts, func(value float64, f sampling.Fanout, stage estimate.Stage) {
			add(s, value, f, stage)
		})
		return s
	}
}

// Totals of a skewed quantity that grows with the size of the fan-out.
func TestTotalsAreUnbiased(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	broadcasts := fleet(fixed(1), mixed()...)
	values := all(broadcasts)
	wanted := []quantity{total(values), above(values, 30)}
	for _, test := range []struct {
		name   string
		config sampling.Config
		trials int
	}{
		{"default", sampling.Config{}, 1000},
		{"capped", sampling.Config{MaxSpans: 3}, 1000},
		{"one now and then", flat(t, 0.0004), 1000},
		{"three of four traced", flat(t, 0.75), 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := judge(t, test.trials, sampler(test.config, 2, broadcasts, unstaged), wanted...)
			require.NoError(t, got["total"].unbiased())
			require.NoError(t, got["above"].unbiased())

			// Negative control: spans counted as they are.
			got = judge(t, test.trials/10, sampler(test.config, 2, broadcasts, unweighted), wanted...)
			require.Error(t, got["total"].unbiased())
			require.Error(t, got["above"].unbiased())
		})
	}
}

// What is known of the fan-outs gives the standard error that the choice has, and
// intervals that hold the truth as often as they say, or as the skew lets them.
func TestStandardErrorsAreHonest(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	for _, test := range []struct {
		name      string
		sizes     []int
		low, high float64 // bounds of the coverage
	}{
		{"fifty of a hundred", slices.Repeat([]int{100}, 50), 0.92, 0.97},
		{"all sizes", mixed(), 0.86, 0.96}, // Most weight is on 20 of 540 observations.
		{"ten of ten thousand", []int{10_000}, 0.86, 0.96},
	} {
		t.Run(test.name, func(t *testing.T) {
			broadcasts := fleet(fixed(1), test.sizes...)
			values := all(broadcasts)
			got := judge(t, 2000, sampler(sampling.Config{}, 3, broadcasts, staged), total(values), mean(values))
			for _, o := range got {
				require.NoError(t, o.covers(test.low, test.high))
				require.NoError(t, o.honest(0.94, 1.06))
			}
			// Without the stages it is larger, never smaller.
			got = judge(t, 2000, sampler(sampling.Config{}, 3, broadcasts, unstaged), total(values), mean(values))
			require.NoError(t, got["total"].covers(0.97, 1))
			require.NoError(t, got["total"].honest(1.3, 2))
			require.NoError(t, got["mean"].covers(0.92, 1))
			require.NoError(t, got["mean"].honest(0.96, 1.3))

			// Negative control: that is not the standard error that the choice has.
			require.Error(t, got["total"].honest(0.94, 1.06))
			require.Error(t, got["total"].covers(test.low, test.high))
		})
	}
}

// A sample that holds the slow ones only does not know of the others; that their
// number is left to chance is in its standard error all the same.
func TestSubsetsHaveHonestStandardErrors(t *testing.T) {
	const limit = 9
	broadcasts := fleet(fixed(1), slices.Repeat([]int{100}, 50)...)
	values := all(broadcasts)
	slow := func(add adder) adder {
		return func(s *estimate.Sample, value float64, f sampling.Fanout, stage estimate.Stage) {
			if value > limit {
				add(s, value, f, stage)
			}
		}
	}
	number := count(int(above(values, limit).truth))
	for name, add := range map[string]adder{"staged": staged, "unstaged": unstaged} {
		t.Run(name, func(t *testing.T) {
			got := judge(t, 2000, sampler(sampling.Config{}, 4, broadcasts, slow(add)), number)["count"]
			require.NoError(t, got.unbiased())
			require.NoError(t, got.covers(0.93, 0.985))
			require.NoError(t, got.honest(0.95, 1.25))
		})
	}

	// Negative control: the textbook's draws with replacement are centred, and
	// all contributions are alike.
	once := sampler(sampling.Config{}, 4, broadcasts, slow(unstaged))
	centred := func(s *estimate.Sample) estimate.Estimate {
		e, n := s.Count(), float64(s.Tally().Counted)
		variance := n / (n - 1) * (e.StdErr*e.StdErr - e.Value*e.Value/n)
		e.StdErr = math.Sqrt(max(variance, 0))
		e.Low, e.High = e.Value-2*e.StdErr, e.Value+2*e.StdErr
		return e
	}
	got := judge(t, 500, once, quantity{"count", number.truth, centred})["count"]
	require.Error(t, got.covers(0.93, 0.985))
	require.Error(t, got.honest(0.95, 1.25))
}

// Below one expected, most fan-outs choose nobody, and that is in the standard
// error too.
func TestRareChoicesHaveHonestStandardErrors(t *testing.T) {
	var broadcasts []broadcast
	for range 15 {
		broadcasts = append(broadcasts, fleet(fixed(1), 50, 100, 150, 80, 100, 30, 20, 100, 100, 50)...)
	}
	values := all(broadcasts)
	for name, add := range map[string]adder{"staged": staged, "unstaged": unstaged} {
		t.Run(name, func(t *testing.T) {
			got := judge(t, 2000, sampler(flat(t, 0.0025), 5, broadcasts, add),
				count(len(values)), total(values), mean(values))
			for name, o := range got {
				require.NoError(t, o.covers(0.92, 0.99), name)
				require.NoError(t, o.honest(0.93, 1.25), name)
			}
			require.NoError(t, got["count"].unbiased())
			require.NoError(t, got["total"].unbiased())
		})
	}
	// Negative control: N/k takes each chosen one for the whole fan-out.
	got := judge(t, 500, sampler(flat(t, 0.0025), 5, broadcasts,
		func(s *estimate.Sample, value float64, f sampling.Fanout, _ estimate.Stage) {
			s.Add(value, float64(f.Size))
		}), count(len(values)))
	require.Error(t, got["count"].unbiased())
}

// The formulas, on numbers small enough to follow.
func TestOneFanoutByTheTextbook(t *testing.T) {
	values := []float64{3, 5, 4, 8}
	const n, k = 20, 4
	var s estimate.Sample
	for _, v := range values {
		s.Add(v, float64(n)/k, estimate.Stage{Fanout: "b", Size: n, Chosen: k})
	}
	variance := 0.0 // Of the values: s².
	for _, v := range values {
		variance += (v - 5) * (v - 5) / (k - 1)
	}
	assert.Equal(t, estimate.Estimate{Value: n, Low: n, High: n}, s.Count())

	got := s.Total()
	assert.InDelta(t, 100, got.Value, 1e-9)
	assert.InDelta(t, math.Sqrt(n*n*(1-k/float64(n))*variance/k), got.StdErr, 1e-9)
	assert.InDelta(t, 3.182, (got.High-got.Value)/got.StdErr, 0.005, "Student's, with three degrees of freedom")
	assert.InDelta(t, got.Value-got.Low, got.High-got.Value, 1e-9)

	assert.InDelta(t, 5, s.Mean().Value, 1e-9)
	assert.InDelta(t, got.StdErr/n, s.Mean().StdErr, 1e-9)
}

// Those chosen that a sample does not hold are zeros.
func TestAbsentRecipientsAreZeros(t *testing.T) {
	var some, every estimate.Sample
	stage := estimate.Stage{Fanout: "b", Size: 100, Chosen: 5}
	for _, v := range []float64{7, 9} {
		some.Add(v, 20, stage)
		every.Add(v, 20, stage)
	}
	for range 3 {
		every.Add(0, 20, stage)
	}
	assert.InDelta(t, every.Total().StdErr, some.Total().StdErr, 1e-9)
	assert.InDelta(t, every.Above(1).Value, some.Count().Value, 1e-9)
}

// Several spans of one recipient are one draw, however they are split.
func TestSpansOfOneRecipientAreOneDraw(t *testing.T) {
	var split, whole estimate.Sample
	for i, v := range []float64{7, 9, 2} {
		stage := estimate.Stage{Fanout: "b", Size: 30, Chosen: 3}
		whole.Add(v, 10, stage)
		stage.Recipient = strconv.Itoa(i)
		for range 4 {
			split.Add(v/4, 10, stage)
		}
	}
	assert.InDelta(t, whole.Total().Value, split.Total().Value, 1e-9)
	assert.InDelta(t, whole.Total().StdErr, split.Total().StdErr, 1e-9)

	// Recipients that nobody tells apart are more than were chosen: all is one draw.
	var mixed estimate.Sample
	for range 12 {
		mixed.Add(1.5, 10, estimate.Stage{Fanout: "b", Size: 30, Chosen: 3})
	}
	assert.InDelta(t, mixed.Total().Value, mixed.Total().StdErr, 1e-9)
}

// Student's quantile with one degree of freedom and with two.
func TestIntervalsOfFewAreWide(t *testing.T) {
	for freedom, want := range map[int]float64{1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262, 99: 1.984} {
		var s estimate.Sample
		for i := range freedom + 1 {
			s.Add(float64(i%2), 10, estimate.Stage{Fanout: "b", Size: 10 * (freedom + 1), Chosen: freedom + 1})
		}
		e := s.Total()
		assert.InDelta(t, want, (e.High-e.Value)/e.StdErr, 0.002*want, "%d degrees of freedom", freedom)
	}
}
