// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// asking asks a stream about one recipient after the other.
type asking struct {
	*planning.Stream

	seen int
	last fanout.Fanout // what the last sampled one stands for
}

func ask(probability float64, random *rand.Rand) *asking {
	return &asking{Stream: planning.NewStream(probability, random, fanout.Fanout{}.Below(10, 10))}
}

// next reports whether the next recipient is sampled.
func (a *asking) next() bool {
	a.seen++
	if a.Position() != a.seen-1 || !a.Reach() {
		return false
	}
	a.last = a.Recipient()
	a.Advance()
	return true
}

// streamed returns a function that asks a new stream about n recipients and
// returns those that it chose.
func streamed(probability float64, n int, seed uint64) func() []int {
	random := stattest.Fixed(seed)
	var chosen []int
	return func() []int {
		s := ask(probability, random)
		chosen = chosen[:0]
		for i := range n {
			if s.next() {
				chosen = append(chosen, i)
			}
		}
		return chosen
	}
}

// checkCoins judges whether each of n positions is chosen with that probability,
// and each pair of neighbours with its square.
func checkCoins(probability float64, n, trials int, choose func() []int) error {
	single, pairs := make([]int, n), make([]int, n)
	var all, together int
	for range trials {
		before := -2
		for _, x := range choose() {
			single[x]++
			all++
			if x == before+1 {
				pairs[x]++
				together++
			}
			before = x
		}
	}
	judge := func(what string, count, tosses int, p float64) error {
		mean := float64(tosses) * p
		if z := (float64(count) - mean) / math.Sqrt(mean*(1-p)); math.Abs(z) > stattest.Tolerance+1 { // There are hundreds.
			return fmt.Errorf("%s chosen %d times, expected %.1f: %.1f deviations off", what, count, mean, z)
		}
		return nil
	}
	for x := range n {
		if err := judge(fmt.Sprint(x), single[x], trials, probability); err != nil {
			return err
		}
		if x > 0 {
			if err := judge(fmt.Sprintf("%d and the one before", x), pairs[x], trials, probability*probability); err != nil {
				return err
			}
		}
	}
	if err := judge("all", all, trials*n, probability); err != nil {
		return err
	}
	// Two pairs may have one position in common; a deviation is 1.3 times as large
	// then, at most.
	if err := judge("neighbours", together, trials*(n-1), probability*probability); err != nil {
		return err
	}
	return nil
}

// badStream skips one too few: a classic slip.
func badStream(probability float64, n int, seed uint64) func() []int {
	random := stattest.Fixed(seed)
	return func() (chosen []int) {
		skip := func() int { return int(math.Log(1-random.Float64()) / math.Log(1-probability)) }
		for x := skip(); x < n; x += max(skip(), 1) {
			chosen = append(chosen, x)
		}
		return chosen
	}
}

func TestStreamTossesACoinForEach(t *testing.T) {
	const n, trials = 100, 20_000
	for _, p := range []float64{0.5, 0.1, 0.03} {
		require.NoError(t, checkCoins(p, n, trials, streamed(p, n, 1)))
	}
	require.Error(t, checkCoins(0.5, n, trials, badStream(0.5, n, 1)), "negative control")
	require.Error(t, checkCoins(0.1, n, trials, badStream(0.1, n, 1)), "negative control")
	// Negative control: exactly as many, but not independently.
	require.Error(t, checkCoins(0.1, n, trials, planner(exactly(10), n, 1)))
}

func TestStreamEstimates(t *testing.T) {
	const n, p, trials = 300, 0.05, 20_000
	estimate := func(choose func() []int) func() float64 {
		return func() (sum float64) {
			for _, x := range choose() {
				sum += latency(x) / p
			}
			return sum
		}
	}
	var squares float64
	for i := range n {
		squares += latency(i) * latency(i)
	}
	truth, variance := totalLatency(n), squares*(1-p)/p
	require.NoError(t, stattest.CheckTotal(truth, trials, estimate(streamed(p, n, 2))))
	require.NoError(t, stattest.CheckVariance(truth, variance, trials, estimate(streamed(p, n, 3))))
	// Negative controls: too many by one in twenty, and a choice with less noise.
	require.Error(t, stattest.CheckTotal(truth, trials, estimate(badStream(p, n, 2))))
	require.Error(t, stattest.CheckVariance(truth, variance, trials, estimate(planner(exactly(n*p), n, 3))))
}

func TestStreamExtremes(t *testing.T) {
	for _, p := range []float64{1, 2, math.Inf(1)} {
		s := ask(p, nil)
		for range 1000 {
			require.True(t, s.next())
		}
		assert.InDelta(t, 10, s.last.Weight, 0, "that of the message itself")
	}
	for _, p := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		s := ask(p, nil)
		for range 1000 {
			require.False(t, s.next())
		}
		assert.Equal(t, planning.Never, s.Position())
		assert.Equal(t, fanout.Fanout{}.Below(10, 10), s.Recipient())
	}
	for _, p := range []float64{1e-12, 1e-18, 1e-300, 0x1p-1023} {
		s := ask(p, stattest.Fixed(1))
		for range 1000 {
			require.False(t, s.next())
		}
	}
}

func TestStreamRecipient(t *testing.T) {
	s := ask(0.25, stattest.Fixed(1))
	for range 1000 {
		if s.next() {
			break
		}
	}
	require.Less(t, s.seen, 1000)
	f := s.last
	assert.Equal(t, fanout.Fanout{Weight: 40, Probability: 0.25, Size: s.seen, Depth: 2}, f)
	assert.Equal(t, f, fanout.FromTraceState(f.AddTo(trace.TraceState{})))
}

func TestStreamDrawsOnePerChosen(t *testing.T) {
	source := &countingSource{Source: rand.NewPCG(1, 2)}
	s := ask(0.001, rand.New(source))
	chosen := 0
	for range 100_000 {
		if s.next() {
			chosen++
		}
	}
	assert.Equal(t, chosen+1, source.draws)
	assert.InDelta(t, 100, chosen, 50)
	assert.Zero(t, testing.AllocsPerRun(50, func() { s.next() }))
}

// Where there are far more recipients than was said, they are sampled like fan-outs to as
// many, and no weight is wrong.
func TestStreamThatIsLongerThanSaid(t *testing.T) {
	const really, trials = 3000, 4000
	random := stattest.Fixed(4)
	sampled := 0
	estimate := func(about int) func() float64 {
		return func() (sum float64) {
			s := asking{Stream: planning.Planner{Random: random}.Stream(about)}
			for i := range really {
				if s.next() {
					sum += latency(i) * s.last.Weight
					sampled++
				}
			}
			return sum
		}
	}
	for _, about := range []int{0, 1, 7, 100, really} {
		sampled = 0
		require.NoError(t, stattest.CheckTotal(totalLatency(really), trials, estimate(about)), "about %d", about)
		mean := float64(sampled) / trials
		assert.Greater(t, mean, 5.0, "about %d", about)
		assert.Less(t, mean, 100.0, "about %d", about)
	}
	assert.InDelta(t, 10, float64(sampled)/trials, 1, "as many as said: those of one fan-out")
}

// What holds for the first so many holds for those beyond.
func TestStreamThatIsLongerThanSaidHasLimits(t *testing.T) {
	for name, limited := range map[string]func() planning.Planner{
		"at most": func() planning.Planner {
			return planning.Planner{Config: sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 2}}
		},
		"a rate": func() planning.Planner {
			return planning.Planner{
				Config: sampling.GroupConfig{Curve: sampling.Always(), SpansPerSecond: 0.2}, Rate: &spanrate.Rate{},
			}
		},
		"a limit": func() planning.Planner {
			return planning.Planner{
				Config: sampling.GroupConfig{Curve: sampling.Always()},
				Limits: []planning.Limit{{Rate: &spanrate.Rate{}, SpansPerSecond: 0.2, Share: 1}},
			}
		},
	} {
		random := stattest.Fixed(5)
		sampled := 0
		for range 100 {
			pl := limited()
			pl.Random = random
			s := asking{Stream: pl.Stream(1)}
			for range 10_000 {
				if s.next() {
					sampled++
				}
			}
		}
		assert.Less(t, float64(sampled)/100, 50.0, name)
	}
}

// A stream that ends where it was said to has used no more of a rate than that.
func TestStreamThatIsAsLongAsSaidIsChargedOnce(t *testing.T) {
	var rate spanrate.Rate
	pl := planning.Planner{Config: sampling.GroupConfig{Curve: sampling.Always(), SpansPerSecond: 1}, Rate: &rate}
	s := asking{Stream: pl.Stream(4)}
	for range 4 {
		require.True(t, s.next())
	}
	assert.InDelta(t, 1, rate.Factor(1, 6, 0), 1e-9, "with those, the 10 of a window")
	assert.InDelta(t, 0.5, rate.Factor(1, 10, 0), 1e-6)
}

// A stream takes over what a plan for about as many would have.
func TestPlannerStream(t *testing.T) {
	share := func(pl planning.Planner, about int) float64 {
		s := pl.Stream(about)
		if s.Position() == planning.Never {
			return 0
		}
		return 1 / s.Recipient().Weight
	}
	assert.InDelta(t, 0.1, share(planning.Planner{}, 100), 1e-9, "as the curve says")
	assert.InDelta(t, 1, share(planning.Planner{}, 1), 0)
	assert.InDelta(t, 1, share(planning.Planner{}, -7), 0, "nobody is expected, and still it is none that is left out")
	assert.InDelta(t, 0.04, share(planning.Planner{Config: sampling.GroupConfig{MaxSpans: 4}}, 100), 1e-9)

	limited := planning.Planner{
		Limits:  []planning.Limit{{Rate: &spanrate.Rate{}, SpansPerSecond: 0.5, Share: 1}}, // 5 in a window
		LimitOf: func(int) int { panic("nobody has a position yet") },
	}
	assert.InDelta(t, 0.05, share(limited, 100), 1e-9, "half of what the curve says")

	above := fanout.Fanout{}.Below(10, 10)
	above.Budget, above.MeanBudget = 2, 2.5
	s := planning.Planner{Above: above}.Stream(100)
	assert.InDelta(t, 10*100/2.5, s.Recipient().Weight, 1e-9, "the mean of the budget")
	assert.InDelta(t, s.Recipient().Weight, s.Again().Recipient().Weight, 0)

	shed := planning.Planner{Config: sampling.GroupConfig{MaxSpansPerSecond: 1}, Rate: &spanrate.Rate{}}
	assert.False(t, shed.Stream(100).Shed)
	s = shed.Stream(100)
	assert.True(t, s.Shed)
	s.Advance()
	assert.Equal(t, planning.Never, s.Position())
	assert.Equal(t, planning.Never, s.Again().Position())
}

// A stream of any length gets its part of the budget from above.
func TestStreamOfAnyLengthWithABudget(t *testing.T) {
	for _, about := range []int{1000, math.MaxInt32, math.MaxInt} {
		above := fanout.Fanout{}.Below(1, 1)
		above.Budget, above.MeanBudget = 500, 500
		pl := planning.Planner{Above: above, Config: sampling.GroupConfig{Curve: sampling.Always()}}
		s := pl.Stream(about)
		require.NotEqual(t, planning.Never, s.Position(), about)
	}
}
