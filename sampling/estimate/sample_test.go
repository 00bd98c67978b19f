// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

func TestEmptySample(t *testing.T) {
	var s estimate.Sample
	assert.Equal(t, estimate.Estimate{}, s.Count())
	assert.Equal(t, estimate.Estimate{}, s.Total())
	assert.Equal(t, estimate.Estimate{}, s.Above(1))
	for _, e := range []estimate.Estimate{s.Mean(), s.Quantile(0.5)} {
		assert.True(t, math.IsNaN(e.Value))
		assert.True(t, math.IsInf(e.StdErr, 1))
	}
	assert.Zero(t, s.Tally())
}

func TestWhatMakesNoSenseIsLeftOutAndCounted(t *testing.T) {
	var s estimate.Sample
	s.Add(2, 3)
	s.Add(4, 3)
	want := []estimate.Estimate{s.Count(), s.Total(), s.Mean(), s.Quantile(0.5)}
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e101, -1e101} {
		s.Add(value, 1)
		s.Add(value, 0)
	}
	for _, weight := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -1e-300, 1e-300, 0.5, 0.999, 1.1e15, 1e300} {
		s.Add(1, weight)
	}
	s.Add(1, 0)
	s.Add(1e100, math.Copysign(0, -1))
	assert.Equal(t, want, []estimate.Estimate{s.Count(), s.Total(), s.Mean(), s.Quantile(0.5)})
	assert.Equal(t, estimate.Tally{Counted: 2, Exemplars: 2, Invalid: 20}, s.Tally())

	// What rounding takes below one is one.
	s.Add(1, 1-1e-9)
	assert.Equal(t, 7.0, s.Count().Value)
}

// One observation says nothing of how far a mean is off; all that there are say it all.
func TestOneObservation(t *testing.T) {
	var s estimate.Sample
	s.Add(5, 10)
	for _, e := range []estimate.Estimate{s.Mean(), s.Quantile(0.5)} {
		assert.Equal(t, estimate.Estimate{Value: 5, StdErr: math.Inf(1), Low: math.Inf(-1), High: math.Inf(1)}, e)
	}
	assert.Equal(t, 50.0, s.Total().StdErr)

	var certain estimate.Sample
	certain.Add(5, 1)
	for _, e := range []estimate.Estimate{certain.Mean(), certain.Quantile(0.5), certain.Total()} {
		assert.Equal(t, estimate.Estimate{Value: 5, Low: 5, High: 5}, e)
	}
}

// Stages change no estimate, however little sense they make.
func TestStagesChangeNoEstimate(t *testing.T) {
	for _, stages := range [][]estimate.Stage{
		nil,
		{{}},
		{{Size: 10, Chosen: 5}},
		{{Fanout: "a"}},
		{{Fanout: "a", Size: 40, Chosen: 10}},
		{{Fanout: "a", Size: 10, Chosen: 40}},
		{{Fanout: "a", Size: -10, Chosen: -1}},
		{{Fanout: "a", Size: 1, Chosen: 1}, {Fanout: "b"}, {Fanout: "c", Size: 8, Chosen: 2}},
		{{Fanout: "a", Size: 3, Chosen: 2, Recipient: "r"}, {Fanout: "a", Size: 3, Chosen: 2, Recipient: "r"}},
		{{Fanout: "b"}, {Fanout: "a", Size: math.MaxInt, Chosen: 1}, {Fanout: "c", Size: 2, Chosen: 1}},
	} {
		var s estimate.Sample
		for i := range 10 {
			s.Add(float64(i), 4, stages...)
			s.Add(float64(i), 1, stages...)
		}
		assert.Equal(t, 50.0, s.Count().Value, "%v", stages)
		assert.Equal(t, 225.0, s.Total().Value, "%v", stages)
		assert.Equal(t, 4.5, s.Mean().Value, "%v", stages)
		assert.Equal(t, 4.0, s.Quantile(0.5).Value, "%v", stages)
		assert.False(t, math.IsNaN(s.Total().StdErr), "%v", stages)
	}
}

// Collectors that each saw a part, of single broadcasts too, know together what
// one that saw all does.
func TestMergedSamplesAreOne(t *testing.T) {
	broadcasts := fleet(fixed(1), mixed()...)
	limit := quantile(all(broadcasts), 0.9).truth
	estimates := func(s *estimate.Sample) []estimate.Estimate {
		return []estimate.Estimate{s.Count(), s.Total(), s.Mean(), s.Above(limit), s.Quantile(0.5), s.Quantile(0.99)}
	}
	var whole estimate.Sample
	parts := make([]estimate.Sample, 3)
	random := fixed(12)
	add := func(value, weight float64, stages ...estimate.Stage) {
		whole.Add(value, weight, stages...)
		parts[random.IntN(len(parts))].Add(value, weight, stages...)
	}
	observe(sampling.Config{}, random, broadcasts, func(value float64, f sampling.Fanout, stage estimate.Stage) {
		add(value, f.Weight, stage)
		add(value, 3*f.Weight, stage) // Below something unknown.
		add(value, f.Weight)
		add(value, 1, stage) // In a stratum.
		outer := estimate.Stage{Fanout: "guild", Size: len(broadcasts), Chosen: len(broadcasts) / 2}
		add(value, f.Weight*float64(outer.Size)/float64(outer.Chosen), outer, stage)
		stage.Recipient = "one"
		add(value, f.Weight, stage)
		add(value, 0)
		add(value, -1)
	})
	for _, s := range []*estimate.Sample{&whole, &parts[1]} {
		s.Shed("150")
	}
	var merged estimate.Sample
	merged.Merge(nil)
	before := parts[2].Tally()
	for i := range parts {
		merged.Merge(&parts[i])
	}
	require.Equal(t, whole.Tally(), merged.Tally())
	require.Positive(t, merged.Tally().Shed)
	want, got := estimates(&whole), estimates(&merged)
	for i := range want {
		assert.InEpsilon(t, want[i].Value, got[i].Value, 1e-9)
		if !math.IsInf(want[i].StdErr, 1) {
			assert.InEpsilon(t, want[i].StdErr, got[i].StdErr, 1e-9)
		}
		assert.Equal(t, math.IsInf(want[i].StdErr, 1), math.IsInf(got[i].StdErr, 1))
	}
	assert.Equal(t, before, parts[2].Tally(), "what is merged stays as it is")

	// Negative control: parts are not the whole.
	assert.NotEqual(t, want, estimates(&parts[0]))

	// With itself, everything is there twice.
	merged.Merge(&merged)
	assert.Equal(t, 2*whole.Tally().Counted, merged.Tally().Counted)
	assert.InEpsilon(t, 2*want[0].Value, merged.Count().Value, 1e-9)
}

// Merging into a used sample must not change the one that was merged.
func TestMergedSampleIsOnesOwn(t *testing.T) {
	var a, b estimate.Sample
	b.Add(1, 1)
	a.Merge(&b)
	a.Add(2, 1)
	b.Add(3, 1)
	assert.Equal(t, 3.0, a.Total().Value)
	assert.Equal(t, 4.0, b.Total().Value)
}

// Whatever came through a fan-out whose cap took effect is left out, before or
// after that is known, and below it too.
func TestShedFanoutsAreLeftOut(t *testing.T) {
	full := estimate.Stage{Fanout: "full", Size: 10, Chosen: 5}
	capped := estimate.Stage{Fanout: "capped", Size: 100, Chosen: 5}
	below := estimate.Stage{Fanout: "below", Size: 4, Chosen: 2}
	var s, want estimate.Sample
	s.Add(1, 20, capped)
	s.Shed("capped")
	s.Shed("")
	for i := range 5 {
		v := float64(i)
		s.Add(v, 20, capped)
		s.Add(v, 40, capped, below)
		s.Add(v, 1, estimate.Stage{Fanout: "capped"}) // A late span of its stratum.
		s.Add(v, 2, full)
		s.Add(v, 1)
		want.Add(v, 2, full)
		want.Add(v, 1)
	}
	assert.Equal(t, estimate.Tally{Counted: 10, Shed: 16}, s.Tally())
	for _, of := range []func(*estimate.Sample) estimate.Estimate{
		(*estimate.Sample).Count, (*estimate.Sample).Total, (*estimate.Sample).Mean,
		func(s *estimate.Sample) estimate.Estimate { return s.Quantile(0.5) },
		func(s *estimate.Sample) estimate.Estimate { return s.Above(2) },
	} {
		assert.Equal(t, of(&want), of(&s))
	}
}
