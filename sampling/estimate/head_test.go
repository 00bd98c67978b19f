// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/threshold"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// quarters are the traces that a sampler keeps with a probability of a quarter, in each of
// which is a broadcast; their recipients are in the same trace, or begin one of their own.
func quarters(t *testing.T, seed uint64, traces []broadcast, state string, linked bool) func() *estimate.Spans {
	random := fixed(seed)
	return func() *estimate.Spans {
		f := &forge{random: random}
		for _, values := range traces {
			if random.Float64() >= 0.25 {
				continue
			}
			root := f.root(t, state)
			plan := planOf(sampling.GroupConfig{}, len(values), random)
			cast, fanout := f.broadcast("broadcast", root, fanout.Fanout{}, plan), plan.Recipient(0)
			for _, i := range plan.Sampled {
				if linked {
					f.linked("session", cast, fanout, values[i])
				} else {
					f.recipient("session", cast, fanout, values[i])
				}
			}
		}
		return f.collect()
	}
}

// A sampler keeps a share of the traces, and says so or not.
func TestHeadSamplingIsPartOfTheEstimate(t *testing.T) {
	t.Parallel() // It takes seconds, and all its chance is its own.
	traces := relays(fixed(2), between(fixed(2), 400, 20, 40)...)
	values := all(traces)
	wanted := []quantity{countOf(len(values)), total(values), mean(values)}
	estimated := func(spans func() *estimate.Spans, head float64) func() *estimate.Sample {
		return func() *estimate.Sample {
			s := spans()
			s.AssumeHead(head)
			return s.Named("session").Handled
		}
	}
	for name, test := range map[string]struct {
		state  string
		head   float64
		linked bool
	}{
		"stated":                  {"ot=th:c", 0, false},
		"said by the caller":      {"", 0.25, false},
		"stated goes before said": {"ot=th:c", 0.5, false},
		"linked, stated":          {"ot=th:c", 0, true},
		"linked, said":            {"", 0.25, true},
	} {
		t.Run(name, func(t *testing.T) {
			for name, o := range judge(t, 150, estimated(quarters(t, 31, traces, test.state, test.linked), test.head), wanted...) {
				require.NoError(t, o.unbiased(), name)
				require.NoError(t, o.honest(0.78, 1.3), name)
				require.NoError(t, o.covers(0.88, 1), name)
			}
		})
	}
	t.Run("control: nobody says it", func(t *testing.T) {
		spans := quarters(t, 31, traces, "", false)
		got := judge(t, 50, estimated(spans, 0), wanted...)
		require.Error(t, got["count"].unbiased())
		require.Error(t, got["total"].unbiased())
		require.NoError(t, got["mean"].near(0.05), "that is right all the same")
		tally := spans().Tally()
		require.Equal(t, tally.Spans, tally.Headless)
	})
}

// What a trace says of itself holds for all that is below, whatever part of it is missing.
func TestHeadOfWhatIsMissing(t *testing.T) {
	f := &forge{random: fixed(32)}
	root := f.root(t, "ot=th:8")
	plan := planOf(sampling.GroupConfig{}, 100, f.random)
	cast, fanout := f.broadcast("broadcast", root, fanout.Fanout{}, plan), plan.Recipient(0)
	f.linked("session", cast, fanout, 1)
	f.recipient("session", cast, fanout, 1)
	f.span("late", cast.WithTraceState(threshold.Clear(cast.TraceState())), 1)
	count := func(without ...string) (session, late float64) {
		var s estimate.Spans
		for _, span := range f.spans {
			left := false
			for _, name := range without {
				left = left || span.Name() == name
			}
			if !left {
				s.Add(span)
			}
		}
		return s.Named("session").Handled.Count().Value, s.Named("broadcast").Handled.Count().Value
	}
	session, broadcast := count()
	assert.InDelta(t, 40, session, 1e-9, "ten each, and twice that")
	assert.InDelta(t, 2, broadcast, 1e-9)
	session, broadcast = count("root")
	assert.InDelta(t, 40, session, 1e-9)
	assert.InDelta(t, 2, broadcast, 1e-9)
	session, _ = count("root", "broadcast")
	assert.InDelta(t, 30, session, 1e-9, "only the linked root says it then")

	// A sampler further down keeps a quarter of these.
	f = &forge{random: fixed(33)}
	root = f.root(t, "ot=th:8")
	state, err := root.TraceState().Insert("ot", "th:e")
	require.NoError(t, err)
	f.span("session", f.span("client", root, 1).WithTraceState(state), 1)
	assert.InDelta(t, 8, f.collect().Named("session").Handled.Count().Value, 1e-9)
}

// Roots that are linked to one trace were kept together, also if its spans are missing:
// they are one draw of the sampler, and those of two traces are two.
func TestHeadOfLinkedRootsIsThatOfTheirBroadcast(t *testing.T) {
	stdErr := func(without string, casts int) float64 {
		f := &forge{random: fixed(34)}
		plan := planOf(sampling.GroupConfig{Curve: sampling.Always()}, 4, f.random)
		for range casts {
			cast := f.broadcast("broadcast", f.root(t, ""), fanout.Fanout{}, plan)
			for range 4 / casts {
				f.linked("session", cast, plan.Recipient(0), 1)
			}
		}
		var s estimate.Spans
		s.AssumeHead(0.25)
		for _, span := range f.spans {
			if span.Name() != without {
				s.Add(span)
			}
		}
		return s.Named("session").Handled.Count().StdErr
	}
	for _, casts := range []int{1, 2} {
		assert.InEpsilon(t, stdErr("", casts), stdErr("broadcast", casts), 1e-9, "of %d broadcasts", casts)
	}
	assert.Greater(t, stdErr("broadcast", 1), 1.3*stdErr("broadcast", 2))
}
