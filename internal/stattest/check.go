// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package stattest judges many outcomes of a random choice. Its checks return an error
// and do not fail the test, so that a negative control can expect the error.
package stattest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Tolerance is that of the checks, in standard deviations. With 4.5, a correct choice
// fails a two-sided test for one seed in 150,000. Tests that use the checks have fixed
// seeds.
const Tolerance = 4.5

// Fixed returns a generator whose numbers are the same in every run.
func Fixed(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x5eed))
}

// Seeded returns a generator that is new in every run, and prints its seed.
func Seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return Fixed(seed)
}

// CheckMean judges whether outcomes are mean rounded down or up, and have that mean.
func CheckMean(mean float64, trials int, outcome func() int) error {
	low, high := int(math.Floor(mean)), int(math.Ceil(mean))
	sum := 0
	for range trials {
		k := outcome()
		if k != low && k != high {
			return fmt.Errorf("%d is neither floor nor ceiling of %v", k, mean)
		}
		sum += k
	}
	fraction := mean - math.Floor(mean)
	deviation := float64(sum) - float64(trials)*mean
	// The half is there because a sum is a whole number and its mean is not.
	if limit := Tolerance*math.Sqrt(float64(trials)*fraction*(1-fraction)) + 0.5; math.Abs(deviation) > limit {
		return fmt.Errorf("the sum of %d is off by %v, more than %v", trials, deviation, limit)
	}
	return nil
}

// CheckUniform judges whether each of n positions is chosen equally often, by a
// chi-squared statistic over equal buckets of positions. The variance is that of a
// choice without replacement. CheckUniform does not judge how many positions are
// chosen. It looks at both tails, because a choice can also be too even.
func CheckUniform(n, buckets, trials int, choose func() []int) error {
	counts := make([]int, buckets)
	size := n / buckets
	if size*buckets != n {
		return fmt.Errorf("%d buckets do not divide %d", buckets, n)
	}
	share := 1 / float64(buckets)
	var chosen, variance float64
	for range trials {
		positions := choose()
		for _, x := range positions {
			counts[x/size]++
		}
		k := float64(len(positions))
		chosen += k
		if n > 1 {
			variance += k * share * (1 - share) * (float64(n) - k) / float64(n-1)
		}
	}
	var squares float64
	for _, c := range counts {
		d := float64(c) - chosen*share
		squares += d * d
	}
	if variance == 0 {
		if squares != 0 {
			return fmt.Errorf("a choice of all is not all: %v", counts)
		}
		return nil
	}
	freedom := float64(buckets - 1)
	statistic := squares / variance * freedom / float64(buckets)
	if z := chiSquaredDeviation(statistic, freedom); math.Abs(z) > Tolerance {
		return fmt.Errorf("chi-squared %.1f with %v degrees of freedom is %.1f deviations off", statistic, freedom, z)
	}
	return nil
}

// chiSquaredDeviation converts the chi-squared value x to standard deviations of a
// normal variable (Wilson and Hilferty, 1931).
func chiSquaredDeviation(x, freedom float64) float64 {
	v := 2 / (9 * freedom)
	return (math.Cbrt(x/freedom) - (1 - v)) / math.Sqrt(v)
}

// CheckPairs judges whether each pair of n positions is chosen together equally often.
// Equal shares of single positions do not show that.
func CheckPairs(n, trials int, choose func() []int) error {
	together := make([]int, n*n)
	var mean, variance float64
	for range trials {
		positions := choose()
		for i, x := range positions {
			for _, y := range positions[i+1:] {
				together[min(x, y)*n+max(x, y)]++
			}
		}
		k := float64(len(positions))
		p := k * (k - 1) / float64(n*(n-1))
		mean += p
		variance += p * (1 - p)
	}
	for x := range n {
		for y := x + 1; y < n; y++ {
			// The tolerance is larger by 1, because there are a thousand pairs.
			z := (float64(together[x*n+y]) - mean) / math.Sqrt(variance)
			if math.Abs(z) > Tolerance+1 {
				return fmt.Errorf("%d and %d came together %d times, expected %.1f: %.1f deviations off",
					x, y, together[x*n+y], mean, z)
			}
		}
	}
	return nil
}

// CheckTotal judges whether the mean of many estimates is the true value.
func CheckTotal(truth float64, trials int, estimate func() float64) error {
	var sum, squares float64
	for range trials {
		e := estimate() - truth
		sum += e
		squares += e * e
	}
	n := float64(trials)
	mean := sum / n
	limit := Tolerance * math.Sqrt((squares/n-mean*mean)/n)
	if !(math.Abs(mean) <= limit+1e-9*truth) {
		return fmt.Errorf("the mean of %d estimates is off by %v of %v, more than %v", trials, mean, truth, limit)
	}
	return nil
}

// CheckVariance judges whether the estimates of truth have the variance that a formula
// says. It compares the mean of their squared distances with it, and takes the noise of
// that mean from their spread.
func CheckVariance(truth, variance float64, trials int, estimate func() float64) error {
	var sum, squares float64
	for range trials {
		d := estimate() - truth
		sum += d * d
		squares += d * d * d * d
	}
	n := float64(trials)
	mean := sum / n
	limit := Tolerance * math.Sqrt((squares/n-mean*mean)/n)
	if !(math.Abs(mean-variance) <= limit+1e-9*variance) {
		return fmt.Errorf("the variance of %d estimates is %v, not %v, by more than %v", trials, mean, variance, limit)
	}
	return nil
}
