// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// node is a process in a tree of relays: a final recipient, or a relay of others.
// Its size is what its sender was told, which may not be true.
type node struct {
	size int // announced number of final recipients
	low  []node
	real int // real number of final recipients right below, if low is empty
	from int // number of the first of those, in the whole tree
}

// recipients returns the real number of final recipients below n.
func (n *node) recipients() int {
	sum := n.real
	for i := range n.low {
		sum += n.low[i].recipients()
	}
	return sum
}

// number gives all final recipients below n their numbers.
func (n *node) number(from int) int {
	n.from = from
	from += n.real
	for i := range n.low {
		from = n.low[i].number(from)
	}
	return from
}

// uneven makes a relay of so many relays of uneven size, some a hundred times as
// large as others. If not exact, their real sizes are not as announced: some are
// empty, others twice as large.
func uneven(relays int, exact bool) node {
	root := node{}
	for i := range relays {
		size := 1 + i*i%37
		if i%16 == 5 {
			size = 400 + i
		}
		child := node{size: size, real: size}
		if !exact {
			child.real = []int{size, 0, size / 2, 2 * size, size + 3}[i%5]
		}
		root.low = append(root.low, child)
		root.size += size
	}
	root.number(0)
	return root
}

// deep makes regions of relays. If not exact, each region's own knowledge differs
// from what was announced of it, and the real sizes differ from both.
func deep(exact bool) node {
	root := node{}
	for i := range 8 {
		region := uneven(4+i, exact)
		if !exact {
			region.size = max(region.size*(i+1)/4, 1)
		}
		root.low = append(root.low, region)
		root.size += region.size
	}
	root.number(0)
	return root
}

// behind makes a relay of n alone, which announces that size.
func behind(size int, n node) node { return node{size: size, low: []node{n}} }

// outcome is what one broadcast over a tree of relays came to.
type outcome struct {
	planned int     // k
	leaves  []int   // numbers of the final recipients that were sampled
	weights float64 // their sum
	total   float64 // estimated total latency of all final recipients
	relays  float64 // estimated number of relays, by their own weights
	traced  int     // relays that were sampled
}

// nesting plays broadcasts over trees.
type nesting struct {
	config sampling.GroupConfig
	lower  sampling.GroupConfig // of all but the first
	random *rand.Rand
	wire   bool // what relays get goes through a tracestate

	// weight is that of a final recipient; negative controls change it.
	weight func(f fanout.Fanout, p planning.Plan) float64
}

func newNesting(config sampling.GroupConfig, seed uint64) *nesting {
	return &nesting{
		config: config, lower: config, random: stattest.Fixed(seed),
		weight: func(f fanout.Fanout, p planning.Plan) float64 { return p.Below(f).Weight },
	}
}

func (g *nesting) broadcast(root *node) outcome {
	var o outcome
	g.relay(root, fanout.Fanout{}, &o, true)
	return o
}

func (g *nesting) relay(n *node, above fanout.Fanout, o *outcome, top bool) {
	planner := planning.Planner{Config: g.lower, Above: above, Random: g.random}
	if top {
		planner.Config = g.config
	}
	if len(n.low) == 0 {
		p := planner.Plan(n.real)
		for _, i := range p.Sampled {
			w := g.weight(above, p)
			o.leaves = append(o.leaves, n.from+i)
			o.weights += w
			o.total += w * latency(n.from+i)
		}
		return
	}
	sizes := make([]int, len(n.low))
	for i := range n.low {
		sizes[i] = n.low[i].size
	}
	plan := planner.Relays(sizes)
	if top {
		o.planned = plan.Spans
	}
	for j, i := range plan.Sampled {
		f := plan.Recipient(j)
		if g.wire {
			f = fanout.FromTraceState(f.AddTo(trace.TraceState{}))
		}
		if len(n.low[i].low) == 0 {
			o.relays += f.Weight
			o.traced++
		}
		g.relay(&n.low[i], f, o, false)
	}
}

// lowest returns the number of relays right above final recipients.
func (n *node) lowest() float64 {
	if len(n.low) == 0 {
		return 1
	}
	sum := 0.0
	for i := range n.low {
		sum += n.low[i].lowest()
	}
	return sum
}

// trees are the broadcasts that the tests below play.
func trees() map[string]node {
	return map[string]node{
		"64 relays":                                       uneven(64, true),
		"64 relays of other sizes":                        uneven(64, false),
		"two levels of relays":                            deep(true),
		"two levels of relays of other sizes":             deep(false),
		"one relay":                                       uneven(1, true),
		"five relays of other sizes than was said":        uneven(5, false),
		"64 relays behind one behind one, of other sizes": behind(40, behind(9, uneven(64, true))),
	}
}

// announced returns the number of final recipients that n believes in.
func (n *node) announced() (sum int) {
	for i := range n.low {
		sum += n.low[i].size
	}
	return sum
}

// budgets range from a fraction of a span to more than most relays have
// recipients.
func budgets(t *testing.T, announced int) map[string]sampling.GroupConfig {
	return map[string]sampling.GroupConfig{
		"as the curve has it": {}, "60": exactly(60), "7": exactly(7), "1": exactly(1),
		"a quarter": {Curve: flat(t, 0.25/float64(announced))}, "one in 23": {Curve: flat(t, 0.0431)},
	}
}

// TestNestingKeepsItsBudget: on every run.
func TestNestingKeepsItsBudget(t *testing.T) {
	for name, tree := range trees() {
		list := budgets(t, tree.announced())
		list["400"], list["all"] = exactly(400), sampling.GroupConfig{Curve: sampling.Always()}
		for budget, config := range list {
			t.Run(name+"/"+budget, func(t *testing.T) {
				g := newNesting(config, 1)
				g.wire = true
				expected := planning.Expected(config, tree.announced())
				for range 60 {
					o := g.broadcast(&tree)
					require.LessOrEqual(t, len(o.leaves), o.planned)
					require.Less(t, math.Abs(float64(o.planned)-expected), 1.0)
					slices.Sort(o.leaves)
					require.Len(t, slices.Compact(o.leaves), len(o.leaves), "nobody twice")
				}
			})
		}
	}
}

// TestNestedWeightsSumToTheSize: on every run, where the sizes are as announced,
// and every budget is used up.
func TestNestedWeightsSumToTheSize(t *testing.T) {
	for _, tree := range []node{uneven(64, true), deep(true), uneven(1, true)} {
		for _, config := range []sampling.GroupConfig{{}, exactly(200), exactly(7), exactly(1), {Curve: sampling.Always()}} {
			g := newNesting(config, 2)
			for range 60 {
				o := g.broadcast(&tree)
				require.Len(t, o.leaves, o.planned)
				require.InEpsilon(t, float64(tree.recipients()), o.weights, 1e-9)
			}
		}
	}
}

func TestNestedBudgetsAreUnbiased(t *testing.T) {
	const trials = 4000
	for name, tree := range trees() {
		recipients := tree.recipients()
		truth := totalLatency(recipients)
		for budget, config := range budgets(t, tree.announced()) {
			t.Run(name+"/"+budget, func(t *testing.T) {
				g := newNesting(config, 3)
				var totals, weights, relays []float64
				for range trials {
					o := g.broadcast(&tree)
					totals, weights, relays = append(totals, o.total), append(weights, o.weights), append(relays, o.relays)
				}
				require.NoError(t, stattest.CheckTotal(truth, trials, each(totals)), "total")
				require.NoError(t, stattest.CheckTotal(float64(recipients), trials, each(weights)), "number of recipients")
				require.NoError(t, stattest.CheckTotal(tree.lowest(), trials, each(relays)), "number of relays")
			})
		}
	}
}

// each returns a function that returns one of list after the other.
func each(list []float64) func() float64 {
	i := -1
	return func() float64 { i++; return list[i] }
}

// TestNestedCapsAreUnbiased: relays with caps of their own, below their budgets.
func TestNestedCapsAreUnbiased(t *testing.T) {
	for _, tree := range []node{uneven(64, true), uneven(64, false), deep(true), deep(false)} {
		for _, most := range []int{1, 2, 5} {
			g := newNesting(exactly(60), 7)
			g.lower = sampling.GroupConfig{MaxSpans: most}
			require.NoError(t, stattest.CheckTotal(totalLatency(tree.recipients()), 4000, func() float64 {
				o := g.broadcast(&tree)
				if len(tree.low[0].low) > 0 && len(o.leaves) > most*len(tree.low) {
					t.Errorf("%d chosen behind %d relays", len(o.leaves), len(tree.low))
				}
				return o.total
			}))
		}
	}
}

func TestNestingNegativeControls(t *testing.T) {
	const trials = 3000
	flatTree, deepTree, config := uneven(64, false), deep(false), exactly(40)
	judge := func(tree node, change func(*nesting), truth float64, what func(outcome) float64) error {
		g := newNesting(config, 4)
		change(g)
		return stattest.CheckTotal(truth, trials, func() float64 { return what(g.broadcast(&tree)) })
	}
	total := func(o outcome) float64 { return o.total }
	relays := func(o outcome) float64 { return o.relays }
	for _, tree := range []node{flatTree, deepTree} {
		truth := totalLatency(tree.recipients())
		require.NoError(t, judge(tree, func(*nesting) {}, truth, total), "as it is")
		require.Error(t, judge(tree, func(g *nesting) {
			g.weight = func(fanout.Fanout, planning.Plan) float64 { return float64(tree.size) / 40 }
		}, truth, total), "N/k, as if the sizes had been right")
		require.Error(t, judge(tree, func(g *nesting) {
			g.weight = func(_ fanout.Fanout, p planning.Plan) float64 { return p.Below(fanout.Fanout{}).Weight }
		}, truth, total), "the relay's own chance is forgotten")
		require.Error(t, judge(tree, func(g *nesting) {
			g.weight = func(f fanout.Fanout, p planning.Plan) float64 { return f.Weight * float64(p.Size) / f.MeanBudget }
		}, truth, total), "the relay's own chance is counted twice")
		require.NoError(t, judge(tree, func(*nesting) {}, tree.lowest(), relays))
		require.Error(t, judge(tree, func(*nesting) {}, tree.lowest(), func(o outcome) float64 { return float64(o.traced) }),
			"relays without a weight of their own")
	}

	// Shares rounded each for itself keep to the budget on average only.
	tree, random, most := uneven(64, true), stattest.Fixed(5), 0
	for range trials {
		sum := 0
		for i := range tree.low {
			e := 40 * float64(tree.low[i].size) / float64(tree.size)
			sum += int(e + random.Float64())
		}
		most = max(most, sum)
	}
	require.Greater(t, most, 40)
}

// TestNestedChoiceIsThatOfOneFanout: each final recipient is as likely to be
// chosen as if there were no relays between, and the relays' budgets are their
// shares rounded down or up.
func TestNestedChoiceIsThatOfOneFanout(t *testing.T) {
	const trials, k = 3000, 300
	tree := uneven(64, true)
	n := tree.recipients()
	g, single, perRelay := newNesting(exactly(k), 6), make([]int, n), make([]int, 64)
	for range trials {
		for _, x := range g.broadcast(&tree).leaves {
			single[x]++
		}
	}
	judge := func(what string, count int, mean, variance float64) {
		if math.Abs(float64(count)-mean) > (stattest.Tolerance+1)*math.Sqrt(variance)+1e-6 {
			t.Errorf("%s: %d, expected %.1f with a deviation of %.1f", what, count, mean, math.Sqrt(variance))
		}
	}
	p := float64(k) / float64(n)
	for i := range tree.low {
		relay := &tree.low[i]
		for x := relay.from; x < relay.from+relay.real; x++ {
			perRelay[i] += single[x]
			judge("one", single[x], trials*p, trials*p*(1-p))
		}
		e := p * float64(relay.size)
		f := e - math.Floor(e)
		judge("relay", perRelay[i], trials*e, trials*f*(1-f)+1e-9)
	}
}
