// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func shutdown(t *testing.T, sys *mailbox.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, sys.Shutdown(ctx))
}

// crowd makes a group of n processes that do what they are told.
func crowd(t *testing.T, sys *mailbox.System, name string, n int, config sampling.GroupConfig) *mailbox.Group[job] {
	t.Helper()
	kind, err := mailbox.NewKind[job](sys, name)
	require.NoError(t, err)
	group, err := mailbox.NewGroup[job](sys, name+"s", mailbox.WithSampling(config))
	require.NoError(t, err)
	for range n {
		ref, err := kind.Spawn("", func(ctx context.Context, j job) error { return j(ctx) })
		require.NoError(t, err)
		require.NoError(t, group.Join(ref))
	}
	return group
}

type job func(ctx context.Context) error

// A broadcast to 50 of whom 5 are chosen, who start spans, and spans below those.
func TestWeightOnUsersSpans(t *testing.T) {
	const size, chosen = 50, 5
	for name, next := range map[string]sdktrace.Sampler{
		"parent-based": sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5),
			sdktrace.WithRemoteParentSampled(sdktrace.AlwaysSample())),
		"always": sdktrace.AlwaysSample(),
	} {
		t.Run(name, func(t *testing.T) {
			both(t, next, func(t *testing.T, r *recorder, wrapped bool) {
				sys := mailbox.NewSystem(mailbox.WithTracerProvider(r.provider))
				sessions := crowd(t, sys, "session", size, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: chosen})
				ctx, root := r.tracer.Start(below(spanContext(trace.FlagsSampled)), "root")
				sessions.Broadcast(ctx, func(ctx context.Context) error {
					if trace.SpanContextFromContext(ctx).IsSampled() {
						r.span(r.span(ctx, "own", trace.WithAttributes(attribute.Bool("mine", true))), "nested")
					}
					return nil
				})
				root.End()
				shutdown(t, sys)

				said := map[attribute.Key]any{
					keys.FanoutWeight: 10.0, keys.FanoutRoundedWeight: int64(10), keys.FanoutProbability: 0.1,
					keys.FanoutSize: int64(size), keys.FanoutDepth: int64(1),
				}
				nested := map[attribute.Key]any{}
				own := map[attribute.Key]any{"mine": true}
				if wrapped {
					for k, v := range said {
						nested[k], own[k] = v, v
					}
				}
				assert.Len(t, r.all("session job"), chosen)
				for _, s := range r.all("session job") { // They say so anyway, and once.
					assert.Subset(t, attributes(t, s), said)
				}
				require.Len(t, r.all("own"), chosen)
				for _, s := range r.all("own") {
					assert.Equal(t, own, attributes(t, s))
				}
				require.Len(t, r.all("nested"), chosen)
				for _, s := range r.all("nested") {
					assert.Equal(t, nested, attributes(t, s))
				}
				assert.Empty(t, r.one(t, "root").Attributes)
				assert.NotContains(t, attributes(t, r.one(t, "broadcast sessions")), keys.FanoutWeight)
			})
		})
	}
}

// Fan-outs of one trace are told apart, whatever came before, and what one result
// says is not changed by who goes on with another.
func TestFanoutsOfOneTraceAreToldApart(t *testing.T) {
	wrapped := sampler.Wrap(sdktrace.ParentBased(sdktrace.AlwaysSample()))
	sc := spanContext(trace.FlagsSampled)
	say := func(weight float64) []attribute.KeyValue {
		f := fanout.Fanout{Weight: weight, Probability: 1 / weight, Size: 1000, Depth: 1}
		ctx := below(sc.WithTraceState(f.AddTo(trace.TraceState{})))
		result := wrapped.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: sc.TraceID()})
		assert.Equal(t, f.Attributes(nil), result.Attributes)
		return append(result.Attributes, attribute.Float64("mine", weight))
	}
	for range 3 {
		_, twenty, ten, again := say(10), say(20), say(10), say(10)
		also := say(10)
		also[len(also)-1] = attribute.Float64("mine", 12)
		again[len(again)-1] = attribute.Float64("mine", 11)
		assert.Equal(t, attribute.Float64("mine", 10), ten[len(ten)-1])
		assert.Equal(t, attribute.Float64("mine", 12), also[len(also)-1])
		assert.Equal(t, attribute.Float64("mine", 20), twenty[len(twenty)-1])
	}
	before := fanout.Ignored()
	forged := below(sc.WithTraceState(parseState(t, "waybill=w:-1")))
	for range 3 {
		result := wrapped.ShouldSample(sdktrace.SamplingParameters{ParentContext: forged, TraceID: sc.TraceID()})
		assert.Empty(t, result.Attributes)
	}
	assert.EqualValues(t, 3, fanout.Ignored()-before, "each is counted")
	say(10)
}

// Of a fan-out below another, users' spans say what they stand for in both. The
// inner broadcast's span is started with its weight, and gets no other.
func TestWeightBelowNestedBroadcasts(t *testing.T) {
	const relays, relaysTraced, sessions, sessionsTraced = 8, 2, 30, 3
	r := record(t, sampler.Wrap(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(r.provider))
	inner := crowd(t, sys, "session", sessions, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: sessionsTraced})
	outer := crowd(t, sys, "relay", relays, sampling.GroupConfig{Curve: sampling.Always(), MaxSpans: relaysTraced})
	ctx, root := r.tracer.Start(t.Context(), "root")
	outer.Broadcast(ctx, func(ctx context.Context) error {
		inner.Broadcast(ctx, func(ctx context.Context) error {
			if trace.SpanContextFromContext(ctx).IsSampled() {
				r.span(ctx, "own")
			}
			return nil
		})
		return nil
	})
	root.End()
	shutdown(t, sys)

	require.Len(t, r.all("own"), relaysTraced*sessionsTraced)
	sum := 0.0
	for _, s := range r.all("own") {
		a := attributes(t, s)
		assert.EqualValues(t, sessions, a[keys.FanoutSize])
		assert.EqualValues(t, 2, a[keys.FanoutDepth])
		sum += a[keys.FanoutWeight].(float64)
	}
	assert.InDelta(t, relays*sessions, sum, 1e-9, "what the spans stand for is what there was")
	for _, s := range r.all("broadcast sessions") {
		a := attributes(t, s)
		assert.EqualValues(t, sessions, a[keys.FanoutSize], "its own")
		assert.InDelta(t, relays/relaysTraced, a[keys.FanoutWeight], 0)
		assert.EqualValues(t, 1, a[keys.FanoutDepth])
	}
}

var (
	hundred = fanout.Fanout{Weight: 100, Probability: 0.01, Size: 1000, Depth: 1}
	weights = map[attribute.Key]any{
		keys.FanoutWeight: 100.0, keys.FanoutRoundedWeight: int64(100),
		keys.FanoutProbability: 0.01, keys.FanoutSize: int64(1000), keys.FanoutDepth: int64(1),
	}
)

func recipient(flags trace.TraceFlags) trace.SpanContext {
	return spanContext(flags).WithTraceState(hundred.AddTo(trace.TraceState{}))
}

func TestWhatASpanSaysItselfStays(t *testing.T) {
	r := record(t, sampler.Wrap(sdktrace.AlwaysSample()))
	ctx := below(recipient(trace.FlagsSampled))
	r.span(ctx, "exemplar", trace.WithAttributes(attribute.Int("a", 1), keys.FanoutWeight.Float64(0)))
	assert.Equal(t, map[attribute.Key]any{"a": int64(1), keys.FanoutWeight: 0.0}, attributes(t, r.one(t, "exemplar")),
		"it stands for nobody, and has no probability")
	r.span(ctx, "fan-out", trace.WithAttributes(keys.FanoutSize.Int(7)))
	assert.EqualValues(t, 7, attributes(t, r.one(t, "fan-out"))[keys.FanoutSize])
	assert.EqualValues(t, 100, attributes(t, r.one(t, "fan-out"))[keys.FanoutWeight])
}

// talkative is a sampler that returns the same attributes, in one array with
// room at its end, for all spans.
type talkative struct {
	sdktrace.Sampler
	attrs []attribute.KeyValue
}

func (s talkative) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := s.Sampler.ShouldSample(p)
	result.Attributes = s.attrs
	return result
}

func TestAttributesOfTheSamplerStay(t *testing.T) {
	room := make([]attribute.KeyValue, 1, 8)
	room[0] = attribute.String("sampler.says", "hello")
	for name, next := range map[string]sdktrace.Sampler{
		"talkative":     talkative{sdktrace.AlwaysSample(), room},
		"wrapped twice": sampler.Wrap(talkative{sdktrace.AlwaysSample(), room}),
	} {
		t.Run(name, func(t *testing.T) {
			w := sampler.Wrap(next)
			p := sdktrace.SamplingParameters{
				ParentContext: below(recipient(trace.FlagsSampled)), TraceID: spanContext(0).TraceID(),
			}
			assert.Len(t, w.ShouldSample(p).Attributes, 6)
			assert.Equal(t, make([]attribute.KeyValue, 7), room[1:8], "the sampler's own array is not written to")
			r := record(t, w)
			r.span(below(recipient(trace.FlagsSampled)), "own")
			a := attributes(t, r.one(t, "own"))
			assert.Equal(t, "hello", a["sampler.says"])
			assert.Subset(t, a, weights)
		})
	}
}

func TestWeightOnEveryRecordedSpanOfTheTrace(t *testing.T) {
	always := sdktrace.AlwaysSample()
	for _, c := range []struct {
		name string
		next sdktrace.Sampler
		ctx  context.Context
		opts []trace.SpanStartOption
		want int
	}{
		{"sampled", always, below(recipient(trace.FlagsSampled)), nil, 5},
		{"from a remote", always, below(recipient(trace.FlagsSampled).WithRemote(true)), nil, 5},
		{"goes on in a new trace", always, below(recipient(trace.FlagsSampled).WithSpanID(trace.SpanID{})), nil, 5},
		{"forced", sdktrace.NeverSample(), sampling.Force(below(recipient(0))), nil, 5},
		{"recorded only", sdktrace.AlwaysRecord(sdktrace.NeverSample()), below(recipient(0)), nil, 5},
		{"dropped", sdktrace.NeverSample(), below(recipient(0)), nil, 0},
		{"new root", always, below(recipient(trace.FlagsSampled)), []trace.SpanStartOption{trace.WithNewRoot()}, 0},
		{"no trace ID", always, below(recipient(trace.FlagsSampled).WithTraceID(trace.TraceID{})), nil, 0},
		{"no fan-out", always, below(spanContext(trace.FlagsSampled)), nil, 0},
		{"absurd", always, below(spanContext(1).WithTraceState(parseState(t, "waybill=w:-5;p:2;n:1;d:1"))), nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record(t, sampler.Wrap(c.next))
			_, span := r.tracer.Start(c.ctx, "own", c.opts...)
			defer span.End()
			recorded, ok := span.(sdktrace.ReadOnlySpan)
			if !ok {
				assert.Zero(t, c.want)
				return
			}
			assert.Len(t, recorded.Attributes(), c.want)
		})
	}
}
