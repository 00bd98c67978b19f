// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// tree is a group of relays, each with a group of sessions.
type tree struct {
	relays *mailbox.Group[job]
	sizes  map[mailbox.Ref[job]]int
	total  int
}

// newTree makes relays of 1, 2, 3 and so on sessions.
func newTree(t *testing.T, sys *mailbox.System, relays int) *tree {
	t.Helper()
	curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.1})
	require.NoError(t, err)
	config := mailbox.WithSampling(sampling.GroupConfig{Curve: curve})
	tr := &tree{relays: newGroup[job](t, sys, "relays", config), sizes: make(map[mailbox.Ref[job]]int)}
	for n := 1; n <= relays; n++ {
		sessions := newGroup[job](t, sys, "sessions", config)
		for range n {
			require.NoError(t, sessions.Join(spawn(t, sys, "session", do)))
		}
		relay := spawn(t, sys, "relay", func(ctx context.Context, j job) error {
			sessions.Broadcast(ctx, j)
			return nil
		})
		require.NoError(t, tr.relays.Join(relay))
		tr.sizes[relay] = n
		tr.total += n
	}
	return tr
}

// A broadcast through relays keeps within what was planned for it on every run,
// and what its spans stand for is right on average.
func TestRelaysShareOneBudget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		tr := newTree(t, sys, 16) // 136 sessions, 13.6 of which are sampled
		const runs = 300
		var weights float64
		for range runs {
			rec.spans.Reset()
			ctx, root := rec.start()
			d := tr.relays.BroadcastRelays(ctx, nothing, func(relay mailbox.Ref[job]) int { return tr.sizes[relay] })
			root.End()
			settle()
			budget := attributes(t, rec.one("broadcast relays"))[keys.FanoutBudget].(int64)
			require.Contains(t, []int64{13, 14}, budget)
			sessions := rec.all("session job")
			require.Len(t, sessions, int(budget), "all of it is spent, and no more")
			require.Len(t, rec.all("relay job"), d.Sampled)
			for _, span := range sessions {
				weights += weightOf(t, span)
				require.EqualValues(t, 2, attributes(t, span)[keys.FanoutDepth])
			}
		}
		assert.InEpsilon(t, float64(tr.total), weights/runs, 1e-9, "with sizes as announced it is exact")
		drain(t, sys)
	})
}

// The negative control: relays that plan for themselves come to another number,
// far below, because those that were skipped take their sessions with them.
func TestRelaysWithoutABudgetMissIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		tr := newTree(t, sys, 16)
		most := 0
		for range 100 {
			rec.spans.Reset()
			ctx, root := rec.start()
			tr.relays.Broadcast(ctx, nothing)
			root.End()
			settle()
			most = max(most, len(rec.all("session job")))
		}
		assert.NotContains(t, []int{13, 14}, most)
		drain(t, sys)
	})
}

// linkedWorkers makes a group of n processes that begin traces of their own.
func linkedWorkers(t *testing.T, sys *mailbox.System, n int, config sampling.GroupConfig) *mailbox.Group[job] {
	t.Helper()
	group := newGroup[job](t, sys, "workers", mailbox.WithLinkedRoots(), mailbox.WithSampling(config))
	for range n {
		require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
	}
	return group
}

// Recipients can begin traces of their own instead, each linked to the broadcast.
func TestLinkedRoots(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system()
		group := linkedWorkers(t, sys, 100, sampling.GroupConfig{})
		ctx, root := rec.start()
		assert.Equal(t, 10, group.Broadcast(ctx, func(ctx context.Context) error {
			_, span := rec.tracer.Start(ctx, "user")
			span.End()
			return nil
		}).Sampled)
		root.End()
		settle()
		broadcast := rec.one("broadcast workers").SpanContext
		spans := rec.all("worker job")
		require.Len(t, spans, 10)
		traces := map[trace.TraceID]bool{broadcast.TraceID(): true}
		for _, span := range spans {
			assert.False(t, traces[span.SpanContext.TraceID()], "a trace of its own")
			traces[span.SpanContext.TraceID()] = true
			assert.False(t, span.Parent.SpanID().IsValid())
			require.Len(t, span.Links, 1)
			assert.Equal(t, broadcast.SpanID(), span.Links[0].SpanContext.SpanID())
			assert.Equal(t, "fanout", span.Links[0].Attributes[0].Value.AsString())
			assert.InDelta(t, 10, weightOf(t, span), 0)
		}
		for _, span := range rec.all("user") {
			assert.True(t, traces[span.SpanContext.TraceID()])
			assert.True(t, span.Parent.SpanID().IsValid())
		}
		drain(t, sys)
	})
}

// A rate scales what broadcasts choose before they choose, so that all of them
// together keep to it and each still stands for what it should.
func TestRateOfSpans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		c := sampling.Config{}
		c.Groups = map[string]sampling.GroupConfig{"workers": {SpansPerSecond: 50}}
		control, err := sampling.NewControl(c)
		require.NoError(t, err)
		sys := rec.system(mailbox.WithControl(control))
		group := newGroup[job](t, sys, "workers")
		const members = 100
		for range members {
			require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
		}
		second := func() (spans int, weights float64) {
			rec.spans.Reset()
			for range 50 { // Which would choose 500.
				ctx, root := rec.start()
				group.Broadcast(ctx, nothing)
				root.End()
				time.Sleep(20 * time.Millisecond)
			}
			for _, span := range rec.all("worker job") {
				spans++
				weights += weightOf(t, span)
			}
			return spans, weights
		}
		for range 60 { // It takes some windows to settle.
			second()
		}
		spans, weights := 0, 0.0
		const seconds = 60
		for range seconds {
			n, w := second()
			spans += n
			weights += w
		}
		assert.LessOrEqual(t, float64(spans), 1.05*50*seconds)
		assert.Greater(t, float64(spans), 0.9*50*seconds)
		assert.InEpsilon(t, members*50*seconds, weights, 0.05, "spans stand for all the same")
		drain(t, sys)
	})
}

// A kind's rate is that of all groups that its processes are in, and in a mixed
// group the scarcest counts.
func TestRateOfAKind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		control, err := sampling.NewControl(sampling.Config{})
		require.NoError(t, err)
		sys := rec.system(mailbox.WithControl(control))
		const members = 20
		groups := make([]*mailbox.Group[job], 3)
		half, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 0.5})
		require.NoError(t, err)
		for i, kinds := range [][]string{{"worker"}, {"worker"}, {"worker", "clerk"}} {
			groups[i] = newGroup[job](t, sys, fmt.Sprint("group", i), mailbox.WithSampling(sampling.GroupConfig{Curve: half}))
			for n := range members {
				require.NoError(t, groups[i].Join(spawn(t, sys, kinds[n%len(kinds)], do)))
			}
		}
		second := func() (spans, weights map[string]float64) {
			rec.spans.Reset()
			spans, weights = map[string]float64{}, map[string]float64{}
			for range 20 { // Which would choose 500 workers and 100 clerks.
				for _, group := range groups {
					ctx, root := rec.start()
					group.Broadcast(ctx, nothing)
					root.End()
				}
				time.Sleep(50 * time.Millisecond)
			}
			for _, kind := range []string{"worker", "clerk"} {
				for _, span := range rec.all(kind + " job") {
					spans[kind]++
					weights[kind] += weightOf(t, span)
				}
			}
			return spans, weights
		}
		play := func(settings sampling.KindConfig, seconds int) (spans, weights map[string]float64) {
			c := sampling.Config{}
			c.Kinds = map[string]sampling.KindConfig{"worker": settings}
			require.NoError(t, control.Set(c))
			for range 40 { // It takes some windows to settle.
				second()
			}
			spans, weights = map[string]float64{}, map[string]float64{}
			for range seconds {
				s, w := second()
				for kind := range s {
					spans[kind] += s[kind] / float64(seconds)
					weights[kind] += w[kind] / float64(seconds)
				}
			}
			return spans, weights
		}
		s := sampling.KindConfig{}
		before, _ := play(s, 4)
		assert.InDelta(t, 500, before["worker"], 25, "negative control: it takes a rate")

		s.SpansPerSecond = 50
		// The choices of 160 seconds leave a deviation of 0.7 % for workers, and of
		// less for clerks.
		spans, weights := play(s, 160)
		assert.LessOrEqual(t, spans["worker"], 1.05*50)
		assert.Greater(t, spans["worker"], 0.9*50)
		assert.InDelta(t, 100, spans["clerk"], 5, "as many as without the others in their group")
		assert.InEpsilon(t, 20*(20+20+10), weights["worker"], 0.05, "spans stand for all the same")
		assert.InEpsilon(t, 20*10, weights["clerk"], 0.05)
		drain(t, sys)
	})
}

// So is its last resort.
func TestLastResortOfAKind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		c := sampling.Config{}
		limited := sampling.KindConfig{}
		limited.MaxSpansPerSecond = 5
		c.Kinds = map[string]sampling.KindConfig{"worker": limited}
		control, err := sampling.NewControl(c)
		require.NoError(t, err)
		sys := rec.system(mailbox.WithControl(control))
		broadcast := func(group *mailbox.Group[job]) (shed bool) {
			rec.spans.Reset()
			ctx, root := rec.start()
			d := group.Broadcast(ctx, nothing)
			root.End()
			settle()
			shed = attributes(t, rec.one("broadcast last resort"))[keys.FanoutShed] == true
			assert.Equal(t, shed, d.Sampled == 0)
			return shed
		}
		groupIn := func(kind string) *mailbox.Group[job] {
			group := newGroup[job](t, sys, "last resort")
			for range 100 {
				require.NoError(t, group.Join(spawn(t, sys, kind, do)))
			}
			return group
		}
		one, other, clerks := groupIn("worker"), groupIn("worker"), groupIn("clerk")
		assert.False(t, broadcast(one))
		assert.True(t, broadcast(one))
		assert.True(t, broadcast(other), "of another group")
		assert.False(t, broadcast(clerks), "of another kind")
		fanouts, spans := cellsOf(control).Kind("worker").Rate.Shed()
		assert.EqualValues(t, 2, fanouts)
		assert.EqualValues(t, 20, spans)

		worker := spawn(t, sys, "worker", do)
		require.NoError(t, clerks.Join(worker))
		assert.True(t, broadcast(clerks), "of both kinds")
		assert.True(t, clerks.Leave(worker))
		assert.False(t, broadcast(clerks), "no more")
		time.Sleep(2 * time.Second)
		assert.False(t, broadcast(other), "within a second of being paid back")
		drain(t, sys)
	})
}

// The last resort sheds whole broadcasts, and says so.
func TestBroadcastsThatAreShedSaySo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		c := sampling.Config{}
		c.DefaultGroup = sampling.GroupConfig{MaxSpansPerSecond: 5}
		control, err := sampling.NewControl(c)
		require.NoError(t, err)
		sys := rec.system(mailbox.WithControl(control))
		group := newGroup[job](t, sys, "workers")
		for range 100 {
			require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
		}
		shed := 0
		for range 10 {
			rec.spans.Reset()
			ctx, root := rec.start()
			d := group.Broadcast(ctx, nothing)
			root.End()
			settle()
			assert.Equal(t, 100, d.Delivered, "the messages are delivered in any case")
			attrs := attributes(t, rec.one("broadcast workers"))
			if attrs[keys.FanoutShed] == true {
				shed++
				assert.Zero(t, d.Sampled)
				assert.Empty(t, rec.all("worker job"))
			} else {
				assert.NotContains(t, attrs, keys.FanoutShed)
				assert.Equal(t, 10, d.Sampled)
			}
		}
		fanouts, spans := cellsOf(control).Group("workers").Rate.Shed()
		assert.EqualValues(t, shed, fanouts)
		assert.EqualValues(t, 10*shed, spans)
		assert.NotZero(t, shed)
		assert.Less(t, shed, 10)
		drain(t, sys)
	})
}

// cellsOf returns what our packages have of a control.
func cellsOf(c *sampling.Control) *live.Control[sampling.KindConfig, sampling.GroupConfig] {
	return (*live.Control[sampling.KindConfig, sampling.GroupConfig])(c)
}
