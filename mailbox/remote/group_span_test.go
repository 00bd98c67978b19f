// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// recorder keeps the spans of all machines of a test, by trace.
type recorder struct {
	provider *sdktrace.TracerProvider

	mu     sync.Mutex
	traces map[trace.TraceID][]sdktrace.ReadOnlySpan
}

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	r := &recorder{traces: make(map[trace.TraceID][]sdktrace.ReadOnlySpan)}
	r.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))
	return r
}

func (r *recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (r *recorder) Shutdown(context.Context) error                  { return nil }
func (r *recorder) ForceFlush(context.Context) error                { return nil }

func (r *recorder) OnEnd(span sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := span.SpanContext().TraceID()
	r.traces[id] = append(r.traces[id], span)
}

// machine returns a machine whose spans are recorded.
func (r *recorder) machine(t testing.TB, server *natstest.Server, id string, opts ...remote.Option) *machine {
	t.Helper()
	return newMachineOf(t, server.Conn(t), []mailbox.SystemOption{mailbox.WithTracerProvider(r.provider)},
		append([]remote.Option{remote.WithID(id), remote.WithTracerProvider(r.provider)}, opts...)...)
}

// traced broadcasts in a new trace, and returns its ID.
func (r *recorder) broadcast(g *remote.Group[string], text string) (trace.TraceID, remote.Delivery) {
	ctx, root := r.provider.Tracer("test").Start(context.Background(), "publish")
	defer root.End()
	return root.SpanContext().TraceID(), g.Broadcast(ctx, text)
}

// of returns the spans with that name in a trace.
func (r *recorder) of(id trace.TraceID, name string) []sdktrace.ReadOnlySpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	var named []sdktrace.ReadOnlySpan
	for _, span := range r.traces[id] {
		if span.Name() == name {
			named = append(named, span)
		}
	}
	return named
}

func value(span sdktrace.ReadOnlySpan, key attribute.Key) attribute.Value {
	for _, a := range span.Attributes() {
		if a.Key == key {
			return a.Value
		}
	}
	return attribute.Value{}
}

// weights returns how many spans of members there are in a trace, and what they stand for.
func (r *recorder) weights(id trace.TraceID) (spans int, sum float64) {
	for _, span := range r.of(id, "member string") {
		spans++
		sum += value(span, keys.FanoutWeight).AsFloat64()
	}
	return spans, sum
}

// Names of the spans of a broadcast, above the members'.
const (
	nodesSpan = "broadcast sessions nodes"
	relaySpan = "sessions relay string"
	localSpan = "broadcast sessions"
)

// budget returns how many members a broadcast was to sample.
func (r *recorder) budget(t testing.TB, id trace.TraceID) int {
	t.Helper()
	spans := r.of(id, nodesSpan)
	require.Len(t, spans, 1)
	return int(value(spans[0], keys.FanoutBudget).AsInt64())
}

// flat samples that share of the members, however many there are.
func flat(t testing.TB, share float64) remote.GroupOption {
	t.Helper()
	curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: share})
	require.NoError(t, err)
	return remote.WithGroupSampling(sampling.GroupConfig{Curve: curve})
}

// newTracedCluster is newCluster with a recorder.
func newTracedCluster(t testing.TB, r *recorder, sizes []int, group []remote.GroupOption, opts ...remote.Option) *cluster {
	t.Helper()
	server := natstest.Start(t, natstest.Options{})
	c := &cluster{}
	for i, size := range sizes {
		c.add(t, r.machine(t, server, fmt.Sprint("n", i), opts...), size, group...)
	}
	c.settle(t)
	return c
}

func TestSpansOfABroadcast(t *testing.T) {
	r := newRecorder(t)
	c := newTracedCluster(t, r, []int{30, 0, 30, 40}, []remote.GroupOption{flat(t, 0.2)})
	id, d := r.broadcast(c.groups[0], "hello")
	assert.Equal(t, remote.Delivery{Nodes: 3, Size: 100, Delivered: 100, Sampled: 3}, d)
	eventually(t, func() bool { n, _ := r.weights(id); return n == 20 })
	eventually(t, func() bool { return len(r.of(id, relaySpan)) == 3 && len(r.of(id, localSpan)) == 3 })

	publish, nodes := r.of(id, "publish")[0], r.of(id, nodesSpan)[0]
	assert.Equal(t, publish.SpanContext().SpanID(), nodes.Parent().SpanID())
	assert.Equal(t, trace.SpanKindProducer, nodes.SpanKind())
	assert.EqualValues(t, 3, value(nodes, keys.FanoutSize).AsInt64())
	assert.EqualValues(t, 20, value(nodes, keys.FanoutBudget).AsInt64())
	remotes := 0
	parents := map[trace.SpanID]bool{}
	for _, relay := range r.of(id, relaySpan) {
		assert.Equal(t, nodes.SpanContext().SpanID(), relay.Parent().SpanID())
		assert.Equal(t, trace.SpanKindConsumer, relay.SpanKind())
		if value(relay, keys.ClocksCrossed).AsBool() {
			remotes++
			assert.GreaterOrEqual(t, value(relay, keys.NetworkDuration).AsFloat64(), 0.0)
		}
		parents[relay.SpanContext().SpanID()] = true
	}
	assert.Equal(t, 2, remotes, "its own relay is not far")
	for _, local := range r.of(id, localSpan) {
		assert.True(t, parents[local.Parent().SpanID()])
		parents[local.SpanContext().SpanID()] = true
	}
	for _, member := range r.of(id, "member string") {
		assert.True(t, parents[member.Parent().SpanID()])
		assert.EqualValues(t, 2, value(member, keys.FanoutDepth).AsInt64())
		assert.InDelta(t, 5, value(member, keys.FanoutWeight).AsFloat64(), 1e-9)
	}
}

// exactly returns an error if the spans of any trace are more than what was planned, or do not
// stand for all members.
func (r *recorder) exactly(t testing.TB, ids []trace.TraceID, members int) error {
	t.Helper()
	for i, id := range ids {
		spans, sum := r.weights(id)
		if budget := r.budget(t, id); spans != budget {
			return fmt.Errorf("broadcast %d: %d spans, and %d were planned", i, spans, budget)
		}
		if math.Abs(sum-float64(members)) > 1e-9*float64(members) {
			return fmt.Errorf("broadcast %d: spans stand for %v of %d members", i, sum, members)
		}
	}
	return nil
}

// The spans of every single broadcast stand for exactly the members on all nodes, and are as
// many as one plan for all of them has it, whichever node broadcasts.
func TestWeightsAreExact(t *testing.T) {
	r := newRecorder(t)
	c := newTracedCluster(t, r, []int{7, 50, 0, 130, 1}, []remote.GroupOption{flat(t, 0.1)})
	const broadcasts = 300
	ids := make([]trace.TraceID, broadcasts)
	planned := 0
	for i := range ids {
		var d remote.Delivery
		ids[i], d = r.broadcast(c.groups[i%len(c.groups)], "hello")
		require.NoError(t, d.Err)
		budget := r.budget(t, ids[i])
		require.Contains(t, []int{18, 19}, budget, "10 % of 188")
		planned += budget
	}
	eventually(t, func() bool { return c.handled.Load() == broadcasts*188 })
	eventually(t, func() bool {
		total := 0
		for _, id := range ids {
			spans, _ := r.weights(id)
			total += spans
		}
		return total == planned
	})
	require.NoError(t, r.exactly(t, ids, 188))

	var spans estimate.Spans
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		for _, span := range r.traces[id] {
			spans.Add(span)
		}
	}
	count := spans.Named("member string").Handled.Count()
	assert.InEpsilon(t, broadcasts*188, count.Value, 1e-9, "estimates know relays on other machines")
}

// The negative control: nodes that do not believe what the weight of a broadcast is make spans
// that stand for something else.
func TestWeightsThatAreNotBelieved(t *testing.T) {
	r := newRecorder(t)
	c := newTracedCluster(t, r, []int{7, 50, 0, 130, 1}, []remote.GroupOption{flat(t, 0.1)},
		remote.WithBoundary(propagate.Boundary{Policy: propagate.ContinueIDs, Propagator: propagate.TraceContext{}}))
	ids := make([]trace.TraceID, 50)
	for i := range ids {
		ids[i], _ = r.broadcast(c.groups[0], "hello")
	}
	eventually(t, func() bool { return c.handled.Load() == 50*188 })
	eventually(t, func() bool {
		for _, id := range ids {
			if len(r.of(id, localSpan)) != len(r.of(id, relaySpan)) || len(r.of(id, relaySpan)) < int(value(r.of(id, nodesSpan)[0], keys.FanoutSampled).AsInt64()) {
				return false
			}
		}
		return true
	})
	require.Error(t, r.exactly(t, ids, 188))
}

// A node that gets no share of the budget gets no header either, though the broadcast is traced.
func TestNodesWithoutAShareGetNoHeader(t *testing.T) {
	r := newRecorder(t)
	server := natstest.Start(t, natstest.Options{})
	c := &cluster{}
	for i := range 10 {
		c.add(t, r.machine(t, server, fmt.Sprint("n", i)), 1, flat(t, 0.2))
	}
	c.settle(t)
	seen := make(chan *nats.Msg, 100)
	conn := server.Conn(t)
	_, err := conn.ChanSubscribe("waybill.group.sessions.*", seen)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	_, d := r.broadcast(c.groups[0], "hello")
	require.Equal(t, 2, d.Sampled)
	with := 0
	for range 9 {
		if m := await(t, seen); len(m.Header) > 0 {
			with++
			assert.Contains(t, m.Header.Get("tracestate"), "waybill=")
		}
	}
	assert.LessOrEqual(t, with, 2)
	assert.GreaterOrEqual(t, with, 1, "this node may be one of the two")
}

// Baggage reaches every member, with and without a trace.
func TestBaggageReachesAllMembers(t *testing.T) {
	r := newRecorder(t)
	server := natstest.Start(t, natstest.Options{})
	var groups []*remote.Group[string]
	got := make(chan string, 100)
	for i := range 3 {
		m := r.machine(t, server, fmt.Sprint("n", i))
		groups = append(groups, newGroup(t, m, "sessions", flat(t, 0.1)))
		join(t, m, groups[i], 4, func(ctx context.Context, _ string) error {
			got <- baggage.FromContext(ctx).Member("tier").Value()
			return nil
		})
	}
	eventually(t, func() bool { return groups[0].Size() == 12 })
	bag, err := baggage.Parse("tier=gold")
	require.NoError(t, err)
	untraced := baggage.ContextWithBaggage(t.Context(), bag)
	traced, root := r.provider.Tracer("test").Start(untraced, "publish")
	defer root.End()
	for _, ctx := range []context.Context{untraced, traced} {
		require.NoError(t, groups[0].Broadcast(ctx, "hello").Err)
		for range 12 {
			assert.Equal(t, "gold", await(t, got))
		}
	}
}

// What a broadcast takes along to other nodes is what the system says, as in a group of one
// node.
func TestGroupCarriesWhatItsSystemSays(t *testing.T) {
	type arrived struct{ traced, tier string }
	const traceID = "0102030405060708090a0b0c0d0e0f10"
	for name, test := range map[string]struct {
		carry envelope.CarryPolicy
		want  arrived
		bare  uint64 // on the other node
	}{
		"by default":      {envelope.CarryPolicy{}, arrived{tier: "gold"}, 0},
		"unsampled":       {envelope.CarryPolicy{Unsampled: true}, arrived{traceID, "gold"}, 0},
		"without baggage": {envelope.CarryPolicy{DropUnsampledBaggage: true}, arrived{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Start(t, natstest.Options{})
			got := make(chan arrived, 100)
			var groups []*remote.Group[string]
			var m *machine
			for i := range 2 {
				m = newMachineOf(t, server.Conn(t, quiet), []mailbox.SystemOption{mailbox.WithCarry(test.carry)},
					remote.WithID(fmt.Sprint("n", i)))
				groups = append(groups, newGroup(t, m, "sessions"))
				join(t, m, groups[i], 1, func(ctx context.Context, _ string) error {
					a := arrived{tier: baggage.FromContext(ctx).Member("tier").Value()}
					if sc := trace.SpanContextFromContext(ctx); !envelope.IsSentinel(sc) {
						a.traced = sc.TraceID().String()
					}
					got <- a
					return nil
				})
			}
			eventually(t, func() bool { return groups[0].Size() == 2 })
			id, err := trace.TraceIDFromHex(traceID)
			require.NoError(t, err)
			bag, err := baggage.Parse("tier=gold")
			require.NoError(t, err)
			ctx := trace.ContextWithSpanContext(baggage.ContextWithBaggage(t.Context(), bag),
				trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}}))
			require.NoError(t, groups[0].Broadcast(ctx, "hello").Err)
			for range 2 {
				assert.Equal(t, test.want, await(t, got))
			}
			assert.Equal(t, test.bare, m.node.Stats().Bare)
		})
	}
}

// What no header can hold is left out, and counted.
func TestBaggageThatDoesNotFit(t *testing.T) {
	c := newCluster(t, natstest.Start(t, natstest.Options{}), 0, 1)
	m, err := baggage.NewMemberRaw("größe", "7")
	require.NoError(t, err)
	bag, err := baggage.New(m)
	require.NoError(t, err)
	require.NoError(t, c.groups[0].Broadcast(baggage.ContextWithBaggage(t.Context(), bag), "hello").Err)
	eventually(t, func() bool { return c.handled.Load() == 1 })
	assert.EqualValues(t, 1, c.machines[0].node.Stats().Cut)
	assert.EqualValues(t, 1, c.machines[1].node.Stats().Bare)
}

// A group follows its control: the plan for all nodes does, and so does each node.
func TestGroupFollowsItsControl(t *testing.T) {
	r := newRecorder(t)
	server := natstest.Start(t, natstest.Options{})
	config := sampling.Config{Groups: map[string]sampling.GroupConfig{"sessions": {Curve: sampling.Always()}}}
	control, err := sampling.NewControl(config)
	require.NoError(t, err)
	c := &cluster{}
	for i := range 2 {
		m := newMachineOf(t, server.Conn(t), []mailbox.SystemOption{mailbox.WithTracerProvider(r.provider), mailbox.WithControl(control)},
			remote.WithTracerProvider(r.provider), remote.WithID(fmt.Sprint("n", i)))
		c.add(t, m, 10, remote.WithGroupControl(control))
	}
	c.settle(t)
	for _, want := range []int{20, 5} {
		config.Groups["sessions"] = sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: want}
		require.NoError(t, control.Set(config))
		id, _ := r.broadcast(c.groups[0], "hello")
		eventually(t, func() bool { n, _ := r.weights(id); return n == want })
		require.NoError(t, r.exactly(t, []trace.TraceID{id}, 20))
	}
}
