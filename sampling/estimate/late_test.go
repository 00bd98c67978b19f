// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
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
type marks func(f *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue

func uncounted(_ *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
	if chosen {
		return fanout.Attributes(nil)
	}
	return []attribute.KeyValue{keys.LateReason.String("slow"), keys.FanoutWeight.Float64(0)}
}

func stratum(_ *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if chosen {
		attrs = fanout.Attributes(nil)
	}
	return append(attrs, keys.LateReason.String("slow"), keys.FanoutWeight.Float64(1))
}

// thinned returns marks of a stratum of which every other one is kept, and of those
// that are not, the chosen are uncounted.
func thinned(probability bool) marks {
	return func(f *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
		if f.random.IntN(2) == 0 {
			if !chosen {
				return nil
			}
			return append(fanout.Attributes(nil), keys.LateReason.String("slow"), keys.FanoutWeight.Float64(0))
		}
		attrs := append(stratum(f, chosen, fanout), keys.FanoutWeight.Float64(2))
		if probability {
			attrs = append(attrs, keys.LateProbability.Float64(0.5))
		}
		return attrs
	}
}

// late plays broadcasts with the spans of all slow handlings, if they are marked.
func late(c sampling.GroupConfig, broadcasts []broadcast, slow marks) play {
	return func(t testing.TB, f *forge) {
		for _, values := range broadcasts {
			plan := planning.Planner{Config: c, Random: f.random}.Plan(len(values))
			cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
			fanout := plan.Recipient(0)
			chosen := make([]bool, len(values))
			for _, i := range plan.Sampled {
				chosen[i] = true
			}
			for i, value := range values {
				var attrs []attribute.KeyValue
				switch {
				case value >= slowFrom && slow != nil:
					attrs = slow(f, chosen[i], fanout)
				case chosen[i]:
					attrs = fanout.Attributes(nil)
				}
				if attrs != nil {
					f.span("session", cast, value, attrs...)
				}
			}
		}
	}
}

func TestLateSpansKeepEstimatesRight(t *testing.T) {
	t.Parallel()               // It takes seconds, and all its chance is its own.
	const limit = slowFrom + 5 // So that there is a slow one below, by which it is known that all above are.
	broadcasts := sessions(30)
	values := all(broadcasts)
	wanted := []quantity{
		countOf(len(values)), total(values), mean(values), above(values, limit),
		quantile(values, 0.5), quantile(values, 0.99),
	}
	const trials = 200
	judged := func(t *testing.T, slow marks) map[string]outcome {
		t.Helper()
		return judge(t, trials, handled(runs(t, 11, late(sampling.GroupConfig{}, broadcasts, slow))), wanted...)
	}
	without := judged(t, nil)
	require.NoError(t, without["total"].unbiased())
	require.NoError(t, without["above"].unbiased())

	t.Run("uncounted", func(t *testing.T) {
		got := judged(t, uncounted)
		for name, o := range got {
			require.InEpsilon(t, 1+without[name].off, 1+o.off, 0.05, name)
			require.GreaterOrEqual(t, o.coverage, without[name].coverage-0.05, name)
		}
		s := handled(runs(t, 11, late(sampling.GroupConfig{}, broadcasts, uncounted)))()
		require.Positive(t, s.Tally().Uncounted)
	})
	t.Run("control: uncounted ones that count", func(t *testing.T) {
		got := judged(t, func(f *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
			if chosen {
				return fanout.Attributes(nil)
			}
			return []attribute.KeyValue{keys.LateReason.String("slow"), keys.FanoutWeight.Float64(1)}
		})
		require.Error(t, got["total"].unbiased())
		require.Error(t, got["above"].unbiased())
	})
	t.Run("stratum", func(t *testing.T) {
		got := judged(t, stratum)
		require.NoError(t, got["total"].unbiased())
		require.NoError(t, got["count"].unbiased())
		for _, name := range []string{"total", "mean"} {
			require.NoError(t, got[name].covers(0.88, 1), name)
			require.NoError(t, got[name].honest(0.8, 1.2), name)
		}
		require.NoError(t, got["p50"].near(0.03))
		require.NoError(t, got["p99"].near(0.03))
		require.NoError(t, got["p99"].covers(0.9, 1))
		require.Error(t, without["p99"].near(0.05), "it is hard to tell without")

		s := handled(runs(t, 11, late(sampling.GroupConfig{}, broadcasts, stratum)))()
		e := s.Above(limit)
		require.InDelta(t, above(values, limit).truth, e.Value, 1e-9)
		require.InDelta(t, e.Value, e.High, 1e-9, "none was missed")
		p99, truth := s.Quantile(0.99), quantile(values, 0.99).truth
		require.Less(t, p99.High, 1.5*truth, "the whole tail is known")
		require.True(t, math.IsInf(handled(runs(t, 11, late(sampling.GroupConfig{}, broadcasts, nil)))().Quantile(0.999).High, 1))
	})
	t.Run("stratum of which a share is kept", func(t *testing.T) {
		got := judged(t, thinned(true))
		for _, name := range []string{"count", "total", "above"} {
			require.NoError(t, got[name].unbiased(), name)
			require.NoError(t, got[name].covers(0.88, 1), name)
		}
		for _, name := range []string{"total", "mean"} {
			require.NoError(t, got[name].honest(0.8, 1.2), name)
		}
		require.NoError(t, got["above"].honest(0.8, 1.25))
		require.NoError(t, got["p50"].near(0.03))
		require.NoError(t, got["p99"].near(0.03))
	})
	t.Run("a share of which only the weight tells", func(t *testing.T) {
		got := judged(t, thinned(false))
		require.NoError(t, got["total"].honest(0.8, 1.2))
		require.NoError(t, got["above"].honest(0.8, 1.25))
	})
	t.Run("control: a stratum that is cut, and nobody says so", func(t *testing.T) {
		got := judged(t, func(f *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
			if f.random.IntN(2) == 0 {
				return nil
			}
			return stratum(f, chosen, fanout)
		})
		require.Error(t, got["above"].unbiased())
		require.Error(t, got["total"].unbiased())
	})
	t.Run("control: a stratum in which the chosen count twice", func(t *testing.T) {
		got := judged(t, func(f *forge, chosen bool, fanout fanout.Fanout) []attribute.KeyValue {
			if chosen {
				return fanout.Attributes(nil)
			}
			return stratum(f, false, fanout)
		})
		require.Error(t, got["total"].unbiased())
		require.Error(t, got["above"].unbiased())
	})
}
