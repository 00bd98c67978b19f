// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// exhausted returns the rate of a group that has chosen as many as its last resort
// allows, for a long time to come.
func exhausted(c sampling.Config) *sampling.Rate {
	rate := &sampling.Rate{}
	for !(sampling.Planner{Config: c, Rate: rate}).Plan(1_000_000).Shed {
		continue
	}
	return rate
}

// spansOfRelays plays a fan-out through relays that share a budget, every third of
// which sheds its own: the last resort of its group has taken effect. Slow sessions
// are a stratum. It tells of every broadcast of a relay, and of every span of a
// session, by the attributes that package mailbox writes.
func spansOfRelays(
	seed uint64, broadcasts []broadcast,
	relayed func(relay string, attrs []attribute.KeyValue),
	handled func(value float64, relay string, attrs []attribute.KeyValue),
) func() {
	random := fixed(seed)
	inner := sampling.Config{Curve: sampling.Always(), MaxSpansPerSecond: 1}
	full := exhausted(inner)
	sizes := make([]int, len(broadcasts))
	for i, b := range broadcasts {
		sizes[i] = len(b)
	}
	return func() {
		plan := sampling.Planner{Config: capped(50), Random: random}.Relays(sizes)
		for n, i := range plan.Chosen {
			key, relay := strconv.Itoa(i), plan.Recipient(n)
			rate := &sampling.Rate{}
			if i%3 == 0 {
				rate = full
			}
			p := sampling.Planner{Config: inner, Above: relay, Rate: rate, Now: time.Second, Random: random}.Plan(sizes[i])
			attrs := append(relay.Attributes(nil), mailbox.FanoutSampledKey.Int(len(p.Chosen)))
			if p.Shed {
				attrs = append(attrs, sampling.ShedKey.Bool(true))
			}
			relayed(key, attrs)
			session := relay.Recipient(p)
			chosen := map[int]bool{}
			for _, j := range p.Chosen {
				chosen[j] = true
			}
			for j, value := range broadcasts[i] {
				attrs := []attribute.KeyValue(nil)
				if chosen[j] {
					attrs = session.Attributes(nil)
				}
				if value >= slowFrom {
					attrs = append(attrs, mailbox.LateReasonKey.String("slow"), sampling.WeightKey.Float64(relay.Weight))
				}
				if attrs != nil {
					handled(value, key, attrs)
				}
			}
		}
	}
}

// Below a relay whose broadcast shed, nobody stands for anybody: that is left out of
// the estimates, and of the truth.
func TestRelaysThatShedAreLeftOut(t *testing.T) {
	var broadcasts []broadcast
	random := fixed(18)
	for range 60 {
		b := fleet(random, 20+random.IntN(100))[0]
		for i := range b {
			if random.Float64() < 0.05 {
				b[i] = slowFrom + 100*random.ExpFloat64()
			}
		}
		broadcasts = append(broadcasts, b)
	}
	var admitted []broadcast
	for i, b := range broadcasts {
		if i%3 != 0 {
			admitted = append(admitted, b)
		}
	}
	samples := func(isShed func(attrs []attribute.KeyValue) bool) func() *estimate.Sample {
		var s *estimate.Sample
		play := spansOfRelays(19, broadcasts,
			func(relay string, attrs []attribute.KeyValue) {
				if isShed(attrs) {
					s.Shed(relay)
				}
			},
			func(value float64, relay string, attrs []attribute.KeyValue) {
				weight, ok := estimate.Weight(attrs)
				require.True(t, ok)
				s.Add(value, weight, estimate.StageOf(relay, attrs))
			})
		return func() *estimate.Sample {
			s = &estimate.Sample{}
			play()
			return s
		}
	}
	quantities := func(broadcasts []broadcast) []quantity {
		values := all(broadcasts)
		return []quantity{count(len(values)), total(values), mean(values), above(values, slowFrom)}
	}
	const trials = 400
	for name, o := range judge(t, trials, samples(estimate.IsShed), quantities(admitted)...) {
		require.NoError(t, o.unbiased(), name)
		require.NoError(t, o.near(0.03), name)
	}
	t.Run("control: those of the stratum are not left out", func(t *testing.T) {
		never := func([]attribute.KeyValue) bool { return false }
		got := judge(t, trials, samples(never), quantities(admitted)...)
		for _, name := range []string{"total", "mean", "above"} {
			require.Error(t, got[name].near(0.03), name)
		}
	})
	t.Run("control: the truth of all relays", func(t *testing.T) {
		got := judge(t, trials, samples(estimate.IsShed), quantities(broadcasts)...)
		for _, name := range []string{"count", "total", "above"} {
			require.Error(t, got[name].near(0.03), name)
		}
	})
}
