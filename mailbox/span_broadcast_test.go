// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// groupOf makes a group of n processes of one kind, who do what they are told.
func groupOf(t *testing.T, sys *mailbox.System, name string, n int, config sampling.GroupConfig, opts ...mailbox.KindOption) *mailbox.Group[job] {
	t.Helper()
	kind, err := mailbox.NewKind[job](sys, name, opts...)
	require.NoError(t, err)
	group := newGroup[job](t, sys, name+"s", mailbox.WithSampling(config))
	for range n {
		ref, err := kind.Spawn("", do)
		require.NoError(t, err)
		require.NoError(t, group.Join(ref))
	}
	return group
}

func TestBroadcastIsASpan(t *testing.T) {
	for _, test := range []struct {
		name   string
		size   int
		config sampling.GroupConfig
		traced int
		method string
	}{
		{"one", 1, sampling.GroupConfig{}, 1, "all"},
		{"default curve", 100, sampling.GroupConfig{}, 10, "uniform"},
		{"everyone", 50, sampling.GroupConfig{Curve: sampling.Always()}, 50, "all"},
		{"capped", 300, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 7}, 7, "uniform"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := record(t)
			sys := rec.system()
			group := groupOf(t, sys, "session", test.size, test.config)
			ctx, root := rec.start()
			d := group.Broadcast(ctx, nothing)
			root.End()
			drain(t, sys)
			assert.Equal(t, mailbox.Delivery{Size: test.size, Delivered: test.size, Sampled: test.traced}, d)
			assert.EqualValues(t, test.size, sys.Stats().Handled)

			span := rec.one("broadcast sessions")
			requireChild(t, root.SpanContext(), span)
			assert.Equal(t, trace.SpanKindProducer, span.SpanKind)
			assert.Equal(t, codes.Unset, span.Status.Code)
			assert.Equal(t, map[attribute.Key]any{
				keys.FanoutSize:      int64(test.size),
				keys.FanoutSampled:   int64(test.traced),
				keys.FanoutMethod:    test.method,
				keys.FanoutDelivered: int64(test.size),
				keys.FanoutRefused:   int64(0),
			}, attributes(t, span))

			recipients := rec.all("session job")
			require.Len(t, recipients, test.traced)
			for _, r := range recipients {
				requireChild(t, span.SpanContext, r)
				assert.Equal(t, trace.SpanKindConsumer, r.SpanKind)
				requireShare(t, r, test.size, test.traced)
				assert.EqualValues(t, 1, attributes(t, r)[keys.FanoutDepth])
			}
			assert.Len(t, rec.names(), 2+test.traced)
		})
	}
}

// requireShare checks that r says it stands for its share of size recipients,
// traced of whom are traced. Both are whole: traced times size/traced is size.
func requireShare(t *testing.T, r tracetest.SpanStub, size, traced int) {
	t.Helper()
	a := attributes(t, r)
	require.EqualValues(t, size, a[keys.FanoutSize])
	require.Equal(t, float64(size)/float64(traced), a[keys.FanoutWeight])
	probability, ok := a[keys.FanoutProbability].(float64)
	require.True(t, ok)
	require.InEpsilon(t, float64(traced)/float64(size), probability, 1e-12)
	require.InDelta(t, float64(traced), math.Round(float64(size)*probability), 0, "k cannot be had back")
}

func TestBroadcastSpanCountsRefusals(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	group := newGroup[job](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
	var releases []func()
	for range 2 {
		full, release := fill(t, sys, 1)
		releases = append(releases, release)
		require.NoError(t, group.Join(full))
	}
	free := spawn(t, sys, "free", do)
	require.NoError(t, group.Join(free))
	ctx, root := rec.start()
	d := group.Broadcast(ctx, nothing)
	root.End()
	pass(t, free)
	assert.Equal(t, mailbox.Delivery{Size: 3, Delivered: 1, Refused: 2, Full: 2, Sampled: 3}, d)
	span := rec.one("broadcast workers")
	a := attributes(t, span)
	assert.EqualValues(t, 1, a[keys.FanoutDelivered])
	assert.EqualValues(t, 2, a[keys.FanoutRefused])
	assert.EqualValues(t, 3, a[keys.FanoutSampled])
	requireChild(t, span.SpanContext, rec.one("free job"))
	for _, refused := range rec.all("worker job") {
		requireChild(t, span.SpanContext, refused)
		assert.Equal(t, "refused_full", attributes(t, refused)[keys.LateReason])
		requireShare(t, refused, 3, 3)
	}
	assert.Len(t, rec.all("worker job"), 2)
	for _, release := range releases {
		release()
	}
	drain(t, sys)
}

// In each fan-out the weights of the chosen sum to its size; one below another
// multiplies them.
func TestWeightsOfNestedBroadcastsMultiply(t *testing.T) {
	const relays, sessions = 40, 90
	relaysTraced, sessionsTraced := 8, 6
	rec := record(t)
	sys := rec.system()
	inner := make([]*mailbox.Group[job], relays)
	for i := range inner {
		inner[i] = groupOf(t, sys, "session", sessions, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: sessionsTraced})
	}
	kind, err := mailbox.NewKind[job](sys, "relay")
	require.NoError(t, err)
	outer := newGroup[job](t, sys, "relays",
		mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: relaysTraced}))
	for i := range relays {
		relay, err := kind.Spawn("", func(ctx context.Context, j job) error {
			inner[i].Broadcast(ctx, j)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, outer.Join(relay))
	}
	ctx, root := rec.start()
	outer.Broadcast(ctx, func(ctx context.Context) error {
		_, span := rec.tracer.Start(ctx, "forward")
		span.End()
		return nil
	})
	root.End()
	drain(t, sys)
	require.EqualValues(t, relays+relays*sessions, sys.Stats().Handled)

	require.Len(t, rec.all("relay job"), relaysTraced)
	for _, r := range rec.all("relay job") {
		requireShare(t, r, relays, relaysTraced)
	}
	for _, b := range rec.all("broadcast sessions") {
		a := attributes(t, b)
		assert.EqualValues(t, sessions, a[keys.FanoutSize], "its own")
		assert.EqualValues(t, sessionsTraced, a[keys.FanoutSampled])
		assert.Equal(t, float64(relays)/float64(relaysTraced), a[keys.FanoutWeight], "of the fan-outs above it")
		assert.EqualValues(t, 1, a[keys.FanoutDepth])
	}
	chosen := rec.all("session job")
	require.Len(t, chosen, relaysTraced*sessionsTraced)
	sum := 0.0
	for _, r := range chosen {
		a := attributes(t, r)
		assert.EqualValues(t, sessions, a[keys.FanoutSize])
		assert.EqualValues(t, 2, a[keys.FanoutDepth])
		weight, _ := a[keys.FanoutWeight].(float64)
		sum += weight
	}
	assert.InDelta(t, relays*sessions, sum, 1e-9, "what the spans stand for is what there was")
	assert.Len(t, rec.all("forward"), relaysTraced*sessionsTraced, "the skipped are silent")
}

// strictProvider makes spans that take note of all attributes they are given, where
// those of the SDK show the last of each key only.
type strictProvider struct {
	noop.TracerProvider

	spans *[]*strictSpan
}

func (p strictProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return strictTracer{spans: p.spans}
}

type strictTracer struct {
	noop.Tracer

	spans *[]*strictSpan
}

func (s strictTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	span := &strictSpan{sc: trace.SpanContextFromContext(ctx), name: name}
	config := trace.NewSpanStartConfig(opts...)
	span.SetAttributes(config.Attributes()...)
	*s.spans = append(*s.spans, span)
	return trace.ContextWithSpan(ctx, span), span
}

type strictSpan struct {
	noop.Span

	sc   trace.SpanContext
	name string
	keys []attribute.Key
}

func (s *strictSpan) SpanContext() trace.SpanContext { return s.sc }
func (s *strictSpan) SetAttributes(attrs ...attribute.KeyValue) {
	for _, a := range attrs {
		s.keys = append(s.keys, a.Key)
	}
}

// A span is given each of its attributes once; one below a fan-out is started with
// its weight, so that samplers see it.
func TestNestedBroadcastHasEachAttributeOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) { // Nothing else starts spans meanwhile.
		var spans []*strictSpan
		sys := newSystem(t, mailbox.WithTracerProvider(strictProvider{spans: &spans}))
		group := newGroup[job](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
		require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
		above := fanout.Fanout{Weight: 4, Probability: 0.25, Size: 8, Depth: 1}
		sc := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
			TraceState: above.AddTo(trace.TraceState{}),
		})
		group.Broadcast(trace.ContextWithSpanContext(t.Context(), sc), nothing)
		settle()
		require.Len(t, spans, 2)
		for _, span := range spans {
			for _, key := range []attribute.Key{
				keys.FanoutWeight, keys.FanoutProbability, keys.FanoutDepth, keys.FanoutSize,
			} {
				assert.Contains(t, span.keys, key, span.name)
			}
			once := map[attribute.Key]bool{}
			for _, key := range span.keys {
				assert.False(t, once[key], "%s has %s twice", span.name, key)
				once[key] = true
			}
		}
		drain(t, sys)
	})
}

// What is told of refusals may panic: the members before it have their message.
func TestPanicOfWhoIsToldOfRefusals(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	group := newGroup[job](t, sys, "workers")
	workers := make([]mailbox.Ref[job], 3)
	for i := range workers {
		workers[i] = spawn(t, sys, "worker", do)
		require.NoError(t, group.Join(workers[i]))
	}
	full, release := fill(t, sys, 1)
	require.NoError(t, group.Join(full))
	for _, ctx := range []context.Context{t.Context(), trace.ContextWithSpanContext(t.Context(),
		unsampled.WithTraceFlags(trace.FlagsSampled))} {
		assert.Panics(t, func() {
			group.BroadcastFunc(ctx, nothing, func(mailbox.Ref[job], error) { panic("told") })
		})
		for _, worker := range workers {
			pass(t, worker) // It is awake.
		}
	}
	release()
	drain(t, sys)
}

// The chosen are chosen at random: everybody's turn comes.
func TestBroadcastChoosesEveryoneInTurn(t *testing.T) {
	const members, rounds = 10, 300 // A member is missed in all of them with probability 0.9^300 = 2e-14.
	rec := record(t)
	sys := rec.system()
	kind, err := mailbox.NewKind[job](sys, "session")
	require.NoError(t, err)
	group := newGroup[job](t, sys, "sessions",
		mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: 1}))
	for i := range members {
		ref, err := kind.Spawn(string(rune('a'+i)), do)
		require.NoError(t, err)
		require.NoError(t, group.Join(ref))
	}
	ctx, root := rec.start()
	for range rounds {
		require.Equal(t, 1, group.Broadcast(ctx, nothing).Sampled)
	}
	root.End()
	drain(t, sys)
	times := make(map[any]int)
	for _, span := range rec.all("session job") {
		times[attributes(t, span)[keys.ProcessID]]++
	}
	assert.Len(t, times, members, "%v", times)
}
