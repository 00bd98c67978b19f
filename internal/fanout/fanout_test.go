// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/stattest"
)

// someFanout is one that could have come about.
var someFanout = fanout.Fanout{Weight: 1000.0 / 3, Probability: 0.003, Size: 1000, Depth: 1}

func TestBelow(t *testing.T) {
	one := fanout.Fanout{}.Below(7.5, 30)
	assert.Equal(t, fanout.Fanout{Weight: 7.5, Probability: 1 / 7.5, Size: 30, Depth: 1}, one)

	two := one.Below(7.0/3, 7)
	assert.InEpsilon(t, 7.5*7/3, two.Weight, 1e-12, "the weights multiply")
	assert.InEpsilon(t, 3.0/7, two.Probability, 1e-12, "the share is that of the nearest")
	assert.Equal(t, 7, two.Size)
	assert.Equal(t, 2, two.Depth)
}

// TestBelowStopsAtTheBounds: a message that passed more fan-outs than the
// tracestate may claim must not lose the weight it has.
func TestBelowStopsAtTheBounds(t *testing.T) {
	f, state := fanout.Fanout{}, trace.TraceState{}
	for range 200 {
		f = fanout.FromTraceState(state).Below(2, 2)
		state = f.AddTo(state)
		require.Equal(t, f, fanout.FromTraceState(state))
	}
	assert.Equal(t, fanout.Fanout{Weight: 1e15, Probability: 0.5, Size: 2, Depth: 64}, f)
}

func TestAttributes(t *testing.T) {
	before := attribute.String("a", "b")
	some := fanout.Fanout{Weight: 250, Probability: 0.004, Size: 1000, Depth: 1}
	assert.Equal(t, []attribute.KeyValue{
		before,
		attribute.Float64("waybill.fanout.weight", 250),
		attribute.Int("waybill.fanout.rounded_weight", 250),
		attribute.Float64("waybill.fanout.probability", 0.004),
		attribute.Int("waybill.fanout.size", 1000),
		attribute.Int("waybill.fanout.depth", 1),
	}, some.Attributes([]attribute.KeyValue{before}))
	assert.Nil(t, fanout.Fanout{}.Attributes(nil), "none without a fan-out")
	assert.Equal(t, []attribute.KeyValue{before}, fanout.Fanout{}.Attributes([]attribute.KeyValue{before}))
}

func TestFanoutRoundTrip(t *testing.T) {
	for _, f := range []fanout.Fanout{
		someFanout,
		{Weight: 1, Probability: 1, Size: 1, Depth: 1},
		{Weight: 1e15, Probability: math.SmallestNonzeroFloat64, Size: math.MaxInt32, Depth: 64},
		{Weight: math.Nextafter(1, 2), Probability: math.Nextafter(1, 0), Size: 2, Depth: 2},
		{Weight: 1 + math.Pi*1e14, Probability: 1.0 / 3, Size: 12345, Depth: 33},
		{Weight: 1, Probability: 1, Size: 1, Depth: 1, Budget: 7, MeanBudget: 20.0 / 3},
		{Weight: 1, Probability: 1, Size: 1, Depth: 1, Budget: 1, MeanBudget: math.SmallestNonzeroFloat64},
		{Weight: 1, Probability: 1, Size: 1, Depth: 1, Budget: math.MaxInt32, MeanBudget: math.MaxInt32},
	} {
		assert.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})))
	}
	random := stattest.Seeded(t)
	for range 2000 {
		f := fanout.Fanout{
			Weight: math.Pow(10, 15*random.Float64()),
			Size:   1 + random.IntN(math.MaxInt32),
			Depth:  1,
		}
		if random.IntN(2) == 0 {
			f.Depth += random.IntN(64)
		}
		above := 1.0
		if f.Depth > 1 {
			above = math.Pow(f.Weight, random.Float64())
		}
		f.Probability = above / f.Weight
		if random.IntN(2) == 0 {
			f.MeanBudget = math.MaxInt32 * math.Pow(random.Float64(), 8)
			f.Budget = max(int(f.MeanBudget)+random.IntN(2), 1)
		}
		require.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})))
	}
}

// absurd are fan-outs that none of our plans makes.
func absurd() map[string]fanout.Fanout {
	with := func(change func(*fanout.Fanout)) fanout.Fanout {
		f := someFanout
		change(&f)
		return f
	}
	cases := map[string]fanout.Fanout{"zero": {}}
	for name, w := range map[string]float64{
		"NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1), "0": 0, "-5": -5, "1e300": 1e300,
		"below 1": math.Nextafter(1, 0), "above 1e15": math.Nextafter(1e15, math.Inf(1)),
	} {
		cases["weight "+name] = with(func(f *fanout.Fanout) { f.Weight, f.Probability, f.Depth = w, 1, 2 })
	}
	for name, p := range map[string]float64{
		"NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1), "0": 0, "-0.5": -0.5, "above 1": math.Nextafter(1, 2),
	} {
		cases["probability "+name] = with(func(f *fanout.Fanout) { f.Probability, f.Depth = p, 2 })
	}
	for name, f := range map[string]fanout.Fanout{
		"too large": {Weight: 1e6, Probability: 0.5, Depth: 1}, "too small": {Weight: 2, Probability: 0.001, Depth: 1},
		"too small far below": {Weight: 2, Probability: 0.001, Depth: 9}, "at its bound": {Weight: 1e15, Probability: 0.5, Depth: 1},
	} {
		f.Size = 10
		cases["weight "+name] = f
	}
	for name, n := range map[string]int{"0": 0, "-1": -1, "huge": math.MaxInt32 + 1, "least": math.MinInt} {
		cases["size "+name] = with(func(f *fanout.Fanout) { f.Size = n })
	}
	for name, d := range map[string]int{"0": 0, "-1": -1, "65": 65, "huge": math.MaxInt} {
		cases["depth "+name] = with(func(f *fanout.Fanout) { f.Depth = d })
	}
	for name, b := range map[string]struct {
		budget int
		mean   float64
	}{
		"without a mean": {1, 0}, "0": {0, 0.5}, "-1": {-1, -0.5}, "NaN": {1, math.NaN()}, "+Inf": {1, math.Inf(1)},
		"far above": {7, 5.9}, "far below": {7, 8.1}, "huge": {math.MaxInt32 + 1, math.MaxInt32}, "huge mean": {math.MaxInt32, math.MaxInt32 + 0.5},
	} {
		cases["budget "+name] = with(func(f *fanout.Fanout) { f.Budget, f.MeanBudget = b.budget, b.mean })
	}
	return cases
}

func TestAddToLeavesTheAbsurdOut(t *testing.T) {
	for name, f := range absurd() {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{"", "a=1,b=2", "a=1,waybill=w:2;p:0.5;n:2;d:1,b=2"} {
				state, err := trace.ParseTraceState(text)
				require.NoError(t, err)
				assert.Equal(t, text, f.AddTo(state).String())
			}
		})
	}
}
