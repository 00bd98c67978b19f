// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// relays are fan-outs below a fan-out. Some are slow as a whole, so that what
// their sessions measure is alike.
func relays(random *rand.Rand, sizes ...int) (broadcasts []broadcast) {
	for _, n := range sizes {
		slow := math.Exp(0.4 * random.NormFloat64())
		b := make(broadcast, n)
		for i := range b {
			b[i] = slow * math.Exp(0.4*random.NormFloat64())
		}
		broadcasts = append(broadcasts, b)
	}
	return broadcasts
}

// between returns n sizes in [low, high).
func between(random *rand.Rand, n, low, high int) (sizes []int) {
	for range n {
		sizes = append(sizes, low+random.IntN(high-low))
	}
	return sizes
}

func sizesOf(broadcasts []broadcast) (sizes []int) {
	for _, b := range broadcasts {
		sizes = append(sizes, len(b))
	}
	return sizes
}

// play makes the spans of one run.
type play func(t testing.TB, f *forge)

// runs returns a function that makes runs of a play, each with other choices.
func runs(t testing.TB, seed uint64, p play) func() *estimate.Spans {
	t.Helper()
	random := fixed(seed)
	return func() *estimate.Spans {
		f := &forge{random: random}
		p(t, f)
		return f.collect()
	}
}

// each plays a broadcast of its own for each of them.
func each(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			f.cast(t, c, b)
		}
	}
}

// nested plays a broadcast to relays that have broadcasts of their own, each with a
// choice of its own.
func nested(outer, inner sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		plan := planning.Planner{Config: outer, Random: f.random}.Plan(len(broadcasts))
		cast, above := f.broadcast("outer", f.root(t, ""), fanout.Fanout{}, plan), plan.Recipient(0)
		for _, i := range plan.Sampled {
			relay := f.recipient("relay", cast, above, 0.001)
			plan := planning.Planner{Config: inner, Above: above, Random: f.random}.Plan(len(broadcasts[i]))
			f.castBelow(relay, above, plan, broadcasts[i])
		}
	}
}

// budgeted plays broadcasts to relays that share a budget, of which the sender takes the
// sizes to be what is said.
func budgeted(c sampling.GroupConfig, times int, said []int, broadcasts []broadcast) play {
	return within(c, c, times, said, broadcasts)
}

// within plays the same with relays that have a configuration of their own.
func within(outer, inner sampling.GroupConfig, times int, said []int, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for range times {
			f.castRelays(f.root(t, ""), planning.Planner{Config: outer, Random: f.random}, said,
				func(i int, relay trace.SpanContext, planner planning.Planner) {
					planner.Config = inner
					f.castBelow(relay, planner.Above, planner.Plan(len(broadcasts[i])), broadcasts[i])
				})
		}
	}
}

// budgetedTwice plays the same through relays of relays.
func budgetedTwice(c sampling.GroupConfig, groups [][]broadcast) play {
	return func(t testing.TB, f *forge) {
		var sizes []int
		for _, g := range groups {
			sizes = append(sizes, len(all(g)))
		}
		f.castRelays(f.root(t, ""), planning.Planner{Config: c, Random: f.random}, sizes,
			func(n int, relay trace.SpanContext, planner planning.Planner) {
				f.castRelays(relay, planner, sizesOf(groups[n]),
					func(i int, relay trace.SpanContext, planner planning.Planner) {
						f.castBelow(relay, planner.Above, planner.Plan(len(groups[n][i])), groups[n][i])
					})
			})
	}
}

// linkedRoots plays broadcasts whose recipients begin traces of their own.
func linkedRoots(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			plan := planning.Planner{Config: c, Random: f.random}.Plan(len(b))
			cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
			for _, i := range plan.Sampled {
				f.linked("session", cast, plan.Recipient(0), b[i])
			}
		}
	}
}

// limited plays broadcasts to two kinds, each of which has a limit of its own.
func limited(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			of := func(position int) int { return min(position%3, 1) }
			plan := planning.Planner{Config: c, Random: f.random, LimitOf: of, Limits: []planning.Limit{
				{Rate: spanrate.New(time.Second), SpansPerSecond: 3.3, Share: 1 / 3.},
				{Rate: spanrate.New(time.Second), SpansPerSecond: 12.5, Share: 2 / 3.},
			}}.Plan(len(b))
			cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
			for n, i := range plan.Sampled {
				f.recipient("session", cast, plan.Recipient(n), b[i])
			}
		}
	}
}

// limitedAll plays broadcasts to one kind that has a limit.
func limitedAll(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			plan := planning.Planner{Config: c, Random: f.random, Limits: []planning.Limit{
				{Rate: spanrate.New(time.Second), SpansPerSecond: 7.4, Share: 1},
			}}.Plan(len(b))
			cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
			for n, i := range plan.Sampled {
				f.recipient("session", cast, plan.Recipient(n), b[i])
			}
		}
	}
}

// cut plays broadcasts behind whose recipients the chain is cut: what is estimated is in
// traces of its own, and there are two spans of each recipient.
func cut(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			plan := planning.Planner{Config: c, Random: f.random}.Plan(len(b))
			cast, fanout := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan), plan.Recipient(0)
			for _, i := range plan.Sampled {
				first := f.recipient("first", cast, fanout, 0.001)
				f.goneOn("session", first, fanout, b[i]/2)
				f.goneOn("session", first, fanout, b[i]/2)
			}
		}
	}
}

// forgotten plays broadcasts of whose recipients nothing says that they belong together.
func forgotten(c sampling.GroupConfig, broadcasts []broadcast) play {
	return func(t testing.TB, f *forge) {
		for _, b := range broadcasts {
			plan := planning.Planner{Config: c, Random: f.random}.Plan(len(b))
			for _, i := range plan.Sampled {
				f.span("session", f.root(t, ""), b[i], keys.FanoutWeight.Float64(plan.Recipient(0).Weight))
			}
		}
	}
}

// without plays the same, and loses the spans of these names.
func without(p play, names ...string) play {
	return func(t testing.TB, f *forge) {
		p(t, f)
		f.spans = slices.DeleteFunc(f.spans, func(s estimate.Span) bool { return slices.Contains(names, s.Name()) })
	}
}

func repeated(n int, values []float64) (all []float64) {
	for range n {
		all = append(all, values...)
	}
	return all
}

// Whatever way spans were chosen, nominal 95 % intervals hold the truth, and standard
// errors are what chance makes of the estimates. The bounds leave room for 250 trials.
func TestIntervalsHoldTheTruth(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	random := fixed(1)
	hundreds := fleet(random, slices.Repeat([]int{100}, 20)...)
	fleetOfAll := fleet(random, mixed()...)
	hundred := relays(random, between(random, 100, 60, 140)...)
	unequal := relays(random, append(between(random, 50, 1, 20), 50, 100, 200, 300, 500, 800)...)
	wrong := between(random, len(unequal), 1, 200)
	var groups [][]broadcast
	for range 8 {
		groups = append(groups, relays(random, between(random, 12, 5, 80)...))
	}
	for _, test := range []struct {
		name   string
		play   play
		values []float64
		most   float64 // that a standard error may be, as a share of the true one
	}{
		{"ten of a hundred each", each(sampling.GroupConfig{}, hundreds), all(hundreds), 1.18},
		{"all sizes, for most of which few spans stand", each(sampling.GroupConfig{}, fleetOfAll), all(fleetOfAll), 1.18},
		{"seldom one", each(flat(t, 0.004), repeatedAll(5, hundred)), repeated(5, all(hundred)), 1.3},
		{"nested", nested(limitedTo(60), limitedTo(5), hundred), all(hundred), 1.18},
		{"nested, all relays", nested(limitedTo(100), limitedTo(5), hundred), all(hundred), 1.18},
		{"a budget of relays", budgeted(limitedTo(60), 1, sizesOf(hundred), hundred), all(hundred), 1.35},
		{"a large one", budgeted(limitedTo(400), 1, sizesOf(hundred), hundred), all(hundred), 1.45},
		{"a fractional one", budgeted(flat(t, 0.00857), 1, sizesOf(hundred), hundred), all(hundred), 1.5},
		{"a small one", budgeted(flat(t, 0.0003), 120, sizesOf(unequal), unequal), repeated(120, all(unequal)), 2.3},
		{"of unequal relays", budgeted(limitedTo(70), 1, sizesOf(unequal), unequal), all(unequal), 1.45},
		{"of relays whose sizes are wrong", budgeted(limitedTo(90), 1, wrong, unequal), all(unequal), 2.3},
		{"of relays that take less", within(limitedTo(150), sampling.GroupConfig{}, 1, sizesOf(unequal), unequal), all(unequal), 1.3},
		{"limits of kinds", limited(limitedTo(30), hundreds), all(hundreds), 1.45},
		{"a limit of a kind", limitedAll(limitedTo(30), hundreds), all(hundreds), 1.35},
		{"through relays of relays", budgetedTwice(limitedTo(80), groups), all(slices.Concat(groups...)), 1.45},
		{"linked roots", linkedRoots(sampling.GroupConfig{}, hundreds), all(hundreds), 1.18},
		{"missing broadcasts", without(each(sampling.GroupConfig{}, hundreds), "root", "broadcast"), all(hundreds), 1.18},
		{"missing broadcasts to relays", without(budgeted(limitedTo(100), 1, sizesOf(hundred), hundred), "relay broadcast"), all(hundred), math.Inf(1)},
		{"missing broadcasts of relays", without(budgeted(limitedTo(100), 1, sizesOf(hundred), hundred), "broadcast"), all(hundred), math.Inf(1)},
		{"missing broadcasts, nested", without(nested(limitedTo(60), limitedTo(5), hundred), "broadcast"), all(hundred), math.Inf(1)},
		{"missing outer broadcasts", without(nested(limitedTo(60), limitedTo(5), hundred), "outer"), all(hundred), math.Inf(1)},
		{"missing relays", without(nested(limitedTo(60), limitedTo(5), hundred), "relay"), all(hundred), math.Inf(1)},
		{"cut chains", cut(sampling.GroupConfig{}, hundreds), halves(all(hundreds)), 1.18},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := judge(t, 250, handled(runs(t, 3, test.play)), countOf(len(test.values)), total(test.values), mean(test.values))
			for name, o := range got {
				require.NoError(t, o.unbiased(), name)
				require.NoError(t, o.covers(0.9, 1), name)
				if name == "count" && test.name == "cut chains" {
					continue // It is right each time; but nobody knows that all have two.
				}
				require.NoError(t, o.honest(0.82, test.most), name)
			}
		})
	}
	t.Run("control: as if all were drawn alone", func(t *testing.T) {
		got := judge(t, 200, handled(runs(t, 3, forgotten(sampling.GroupConfig{}, hundreds))),
			total(all(hundreds)), countOf(len(all(hundreds))))
		require.Error(t, got["total"].honest(0.82, 1.3))
		require.Error(t, got["count"].honest(0.82, 1.3))
	})
}

func repeatedAll(n int, broadcasts []broadcast) (all []broadcast) {
	for range n {
		all = append(all, broadcasts...)
	}
	return all
}

// halves returns two halves of each value.
func halves(values []float64) (all []float64) {
	for _, v := range values {
		all = append(all, v/2, v/2)
	}
	return all
}
