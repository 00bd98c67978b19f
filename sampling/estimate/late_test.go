// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// slowFrom is how slow a handling is that leaves a late span.
const slowFrom = 100

// sessions are broadcasts of which a few in a hundred recipients are slow.
func sessions(n int) (broadcasts []broadcast) {
	random := fixed(10)
	for range n {
		b := fleet(random, 500)[0]
		for i := range b {
			if random.Float64() < 0.02 {
				b[i] = slowFrom + 100*random.ExpFloat64()
			}
		}
		broadcasts = append(broadcasts, b)
	}
	return broadcasts
}

// marks returns the attributes of the span of a slow handling, chosen or not; nil
// if it has none. They are what package mailbox writes; another test has it write them.
type marks func(chosen bool, f sampling.Fanout) []attribute.KeyValue

func exemplars(chosen bool, f sampling.Fanout) []attribute.KeyValue {
	if chosen {
		return f.Attributes(nil)
	}
	return []attribute.KeyValue{mailbox.LateReasonKey.String("slow"), sampling.WeightKey.Float64(0)}
}

func stratum(chosen bool, f sampling.Fanout) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if chosen {
		attrs = f.Attributes(nil)
	}
	return append(attrs, mailbox.LateReasonKey.String("slow"), sampling.WeightKey.Float64(1))
}

// thinned returns marks of a stratum of which every other one is kept, and of those
// that are not, the chosen are exemplars.
func thinned(random *rand.Rand, probability bool) marks {
	return func(chosen bool, f sampling.Fanout) []attribute.KeyValue {
		if random.IntN(2) == 0 {
			if !chosen {
				return nil
			}
			return append(f.Attributes(nil), mailbox.LateReasonKey.String("slow"), sampling.WeightKey.Float64(0))
		}
		attrs := append(stratum(chosen, f), sampling.WeightKey.Float64(2))
		if probability {
			attrs = append(attrs, mailbox.LateProbabilityKey.Float64(0.5))
		}
		return attrs
	}
}

// withLate returns a function that takes samples of all spans, late ones included.
func withLate(seed uint64, broadcasts []broadcast, slow marks) func() *estimate.Sample {
	random := fixed(seed)
	return func() *estimate.Sample {
		s := &estimate.Sample{}
		for b, values := range broadcasts {
			plan := sampling.Config{}.Plan(len(values), random)
			f := sampling.Fanout{}.Recipient(plan)
			chosen := make([]bool, len(values))
			for _, i := range plan.Chosen {
				chosen[i] = true
			}
			for i, value := range values {
				var attrs []attribute.KeyValue
				switch {
				case value >= slowFrom && slow != nil:
					attrs = slow(chosen[i], f)
				case chosen[i]:
					attrs = f.Attributes(nil)
				}
				if attrs == nil {
					continue
				}
				if weight, ok := estimate.Weight(attrs); ok {
					s.Add(value, weight, estimate.StageOf(strconv.Itoa(b), attrs))
				}
			}
		}
		return s
	}
}

func TestLateSpansKeepEstimatesRight(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	broadcasts := sessions(60)
	values := all(broadcasts)
	wanted := []quantity{
		count(len(values)), total(values), mean(values), above(values, slowFrom),
		quantile(values, 0.5), quantile(values, 0.99),
	}
	const trials = 400
	without := judge(t, trials, withLate(11, broadcasts, nil), wanted...)
	require.NoError(t, without["total"].unbiased())
	require.NoError(t, without["above"].unbiased())
	require.NoError(t, without["p99"].near(0.1))

	t.Run("exemplars change nothing", func(t *testing.T) {
		got := judge(t, trials, withLate(11, broadcasts, exemplars), wanted...)
		require.Equal(t, without, got)
		s := withLate(11, broadcasts, exemplars)()
		require.Positive(t, s.Tally().Exemplars)
	})
	t.Run("control: exemplars that count", func(t *testing.T) {
		got := judge(t, trials, withLate(11, broadcasts, func(chosen bool, f sampling.Fanout) []attribute.KeyValue {
			if chosen {
				return f.Attributes(nil)
			}
			return []attribute.KeyValue{mailbox.LateReasonKey.String("slow")} // The weight is absent, which is 1.
		}), wanted...)
		require.Error(t, got["total"].unbiased())
		require.Error(t, got["above"].unbiased())
	})
	t.Run("stratum", func(t *testing.T) {
		got := judge(t, trials, withLate(11, broadcasts, stratum), wanted...)
		require.NoError(t, got["total"].unbiased())
		require.NoError(t, got["count"].unbiased())
		for _, name := range []string{"total", "mean"} {
			require.NoError(t, got[name].covers(0.91, 0.985), name)
			require.NoError(t, got[name].honest(0.9, 1.1), name)
		}
		require.NoError(t, got["p50"].near(0.01))
		require.NoError(t, got["p99"].near(0.005))
		require.Error(t, without["p99"].near(0.05), "it is hard to tell without")

		e := above(values, slowFrom).of(withLate(11, broadcasts, stratum)())
		require.InDelta(t, above(values, slowFrom).truth, e.Value, 1e-9, "none was missed")
	})
	t.Run("stratum of one broadcast", func(t *testing.T) {
		// In most samples none of the ten chosen is slow. That they might have been
		// is in the standard error all the same.
		one := sessions(1)
		got := judge(t, 1000, withLate(11, one, stratum), count(len(one[0])), total(one[0]))
		for name, o := range got {
			require.NoError(t, o.unbiased(), name)
			require.NoError(t, o.covers(0.88, 1), name)
		}
		require.NoError(t, got["total"].honest(0.9, 1.1))
		require.NoError(t, got["count"].honest(0.9, 1.7))
	})
	t.Run("stratum of which a share is kept", func(t *testing.T) {
		got := judge(t, trials, withLate(11, broadcasts, thinned(fixed(16), true)), wanted...)
		for _, name := range []string{"count", "total", "above"} {
			require.NoError(t, got[name].unbiased(), name)
			require.NoError(t, got[name].covers(0.91, 1), name)
		}
		for _, name := range []string{"total", "mean"} {
			require.NoError(t, got[name].honest(0.9, 1.1), name)
		}
		require.NoError(t, got["above"].honest(0.9, 1.8), "it does not know that none of the quick ones was missed")
		require.NoError(t, got["p50"].near(0.01))
		require.NoError(t, got["p99"].near(0.005))
	})
	t.Run("control: nobody says that it is a share", func(t *testing.T) {
		got := judge(t, trials/2, withLate(11, broadcasts, thinned(fixed(16), false)), wanted...)
		require.NoError(t, got["total"].unbiased(), "that is in the weight")
		require.Error(t, got["total"].honest(0.9, 1.1), "and this is not")
		require.Error(t, got["above"].honest(0.9, 1.8))
	})
	t.Run("control: a stratum that is cut, and nobody says so", func(t *testing.T) {
		random := fixed(17)
		got := judge(t, trials/2, withLate(11, broadcasts, func(chosen bool, f sampling.Fanout) []attribute.KeyValue {
			if random.IntN(2) == 0 {
				return nil
			}
			return stratum(chosen, f)
		}), wanted...)
		require.Error(t, got["above"].unbiased())
		require.Error(t, got["total"].unbiased())
	})
	t.Run("control: a stratum in which the chosen count twice", func(t *testing.T) {
		got := judge(t, trials, withLate(11, broadcasts, func(chosen bool, f sampling.Fanout) []attribute.KeyValue {
			if chosen {
				return f.Attributes(nil)
			}
			return stratum(false, f)
		}), wanted...)
		require.Error(t, got["total"].unbiased())
		require.Error(t, got["above"].unbiased())
	})
}
