// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed returns a generator whose numbers are the same in every run.
func fixed(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0xe571)) }

// planOf plans a fan-out to n that knows of no other.
func planOf(c sampling.GroupConfig, n int, random *rand.Rand) planning.Plan {
	return planning.Planner{Config: c, Random: random}.Plan(n)
}

// flat is the configuration that gives every fan-out the same probability.
func flat(t testing.TB, probability float64) sampling.GroupConfig {
	t.Helper()
	c, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: probability})
	require.NoError(t, err)
	return sampling.GroupConfig{Curve: c}
}

// broadcast is what each recipient of a fan-out would have measured, in seconds.
type broadcast []float64

// fleet is made of broadcasts of many sizes. Latencies are log-normal, and the
// larger the broadcast the longer: a tenfold size takes twice as long.
func fleet(random *rand.Rand, sizes ...int) (broadcasts []broadcast) {
	for _, n := range sizes {
		b := make(broadcast, n)
		for i := range b {
			b[i] = math.Pow(float64(n), 0.3) * math.Exp(0.7*random.NormFloat64())
		}
		broadcasts = append(broadcasts, b)
	}
	return broadcasts
}

// mixed are the sizes of a fleet in which small broadcasts are many, and large
// ones have most of the recipients.
func mixed() (sizes []int) {
	for range 30 {
		sizes = append(sizes, 1, 2, 3, 7, 20)
	}
	for range 6 {
		sizes = append(sizes, 100, 400, 1000)
	}
	return append(sizes, 5000, 10_000)
}

// all returns the values of all recipients.
func all(broadcasts []broadcast) (values []float64) {
	for _, b := range broadcasts {
		values = append(values, b...)
	}
	return values
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// limitedTo is the configuration with which k recipients are chosen of any number.
func limitedTo(k int) sampling.GroupConfig {
	return sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: k}
}

// handled is what a quantity is estimated from: the handlings of sessions.
func handled(spans func() *estimate.Spans) func() *estimate.Sample {
	return func() *estimate.Sample { return spans().Named("session").Handled }
}

// The checkers judge many estimates of one quantity. They return an error rather
// than fail, so that a negative control can pass through them. All tests that use
// them have fixed seeds.

// quantity is what is estimated, and its true value.
type quantity struct {
	name  string
	truth float64
	of    func(*estimate.Sample) estimate.Estimate
}

func countOf(truth int) quantity {
	return quantity{"count", float64(truth), (*estimate.Sample).Count}
}

func total(values []float64) quantity {
	return quantity{"total", sum(values), (*estimate.Sample).Total}
}

func mean(values []float64) quantity {
	return quantity{"mean", sum(values) / float64(len(values)), (*estimate.Sample).Mean}
}

func above(values []float64, limit float64) quantity {
	n := 0.0
	for _, v := range values {
		if v > limit {
			n++
		}
	}
	return quantity{"above", n, func(s *estimate.Sample) estimate.Estimate { return s.Above(limit) }}
}

// quantile is the smallest value that a share q of all does not exceed.
func quantile(values []float64, q float64) quantity {
	truth := slices.Sorted(slices.Values(values))[int(math.Ceil(q*float64(len(values))))-1]
	return quantity{fmt.Sprint("p", 100*q), truth, func(s *estimate.Sample) estimate.Estimate { return s.Quantile(q) }}
}

// outcome is what many estimates of one quantity come to.
type outcome struct {
	bias     float64 // of the mean, in its standard deviations
	off      float64 // of the mean, as a share of the truth
	coverage float64 // share of the 95 % intervals that hold the truth
	ratio    float64 // root of the mean of the squared standard errors, to the true one
}

// judge takes many samples and logs and returns what their estimates come to.
func judge(t *testing.T, trials int, sample func() *estimate.Sample, quantities ...quantity) map[string]outcome {
	t.Helper()
	if raceDetector {
		t.Skip("many numbers, and one goroutine")
	}
	estimates := make([][]estimate.Estimate, len(quantities))
	for range trials {
		s := sample()
		for i, q := range quantities {
			estimates[i] = append(estimates[i], q.of(s))
		}
	}
	outcomes := make(map[string]outcome)
	for i, q := range quantities {
		outcomes[q.name] = judgeOne(q.truth, estimates[i])
		t.Logf("%-6s %v", q.name, outcomes[q.name])
	}
	return outcomes
}

func judgeOne(truth float64, estimates []estimate.Estimate) outcome {
	var sum, squares, errors, covered float64
	for _, e := range estimates {
		off := e.Value - truth
		if math.Abs(off) <= 1e-9*truth { // Sums are rounded.
			off, e.Low, e.High = 0, min(e.Low, truth), max(e.High, truth)
		}
		sum += off
		squares += off * off
		errors += e.StdErr * e.StdErr
		if e.Low <= truth && truth <= e.High {
			covered++
		}
	}
	n := float64(len(estimates))
	deviation := math.Sqrt(squares/n - sum/n*sum/n)
	o := outcome{off: sum / n / truth, coverage: covered / n, ratio: 1}
	if sum != 0 {
		o.bias = sum / n / (deviation / math.Sqrt(n))
	}
	if errors > 1e-18*truth*truth*n || deviation != 0 {
		o.ratio = math.Sqrt(errors/n) / deviation
	}
	return o
}

func (o outcome) String() string {
	return fmt.Sprintf("off by %.2f deviations (%.2g %%), coverage %.3f, standard error %.3f of the true one",
		o.bias, 100*o.off, o.coverage, o.ratio)
}

// unbiased holds that the mean is within 4.5 standard deviations of the truth: a
// right one is not in one seed of 150,000.
func (o outcome) unbiased() error {
	if !(math.Abs(o.bias) <= 4.5) {
		return fmt.Errorf("the mean of the estimates is off by %.1f standard deviations", o.bias)
	}
	return nil
}

// covers holds that the share of intervals that hold the truth is within bounds.
func (o outcome) covers(low, high float64) error {
	if !(o.coverage >= low && o.coverage <= high) {
		return fmt.Errorf("%.3f of the intervals hold the truth, not between %v and %v", o.coverage, low, high)
	}
	return nil
}

// near holds that the mean is within a share of the truth.
func (o outcome) near(share float64) error {
	if !(math.Abs(o.off) <= share) {
		return fmt.Errorf("the mean of the estimates is off by %.1f %%", 100*o.off)
	}
	return nil
}

// honest holds that the standard error is within bounds of the true one.
func (o outcome) honest(low, high float64) error {
	if !(o.ratio >= low && o.ratio <= high) {
		return fmt.Errorf("the standard error is %.3f of the true one, not between %v and %v", o.ratio, low, high)
	}
	return nil
}
