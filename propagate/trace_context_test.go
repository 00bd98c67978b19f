// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/propagate"
)

// counting returns a propagator with counters of its own.
func counting() (propagate.TraceContext, *propagate.Counters) {
	counters := &propagate.Counters{}
	return propagate.TraceContext{Counters: counters}, counters
}

// resent returns the tracestate that a propagator sends on from ctx.
func resent(ctx context.Context) string {
	out := propagation.MapCarrier{}
	p, _ := counting()
	p.Inject(ctx, out)
	return out["tracestate"]
}

func TestTraceContextCarriesBothAlways(t *testing.T) {
	for name, carrier := range carriers {
		for _, parent := range []string{sampled, unsampled, sampled[:53] + "02", sampled[:53] + "03"} {
			t.Run(name+"/"+parent[53:], func(t *testing.T) {
				p, counters := counting()
				ctx := p.Extract(t.Context(), fill(carrier(), parent, "a=1,b=2", "user=alice"))
				sc := trace.SpanContextFromContext(ctx)
				assert.Equal(t, parent, "00-"+sc.TraceID().String()+"-"+sc.SpanID().String()+"-"+sc.TraceFlags().String())
				assert.Equal(t, "a=1,b=2", sc.TraceState().String())
				assert.True(t, sc.IsRemote())
				assert.Empty(t, bagOf(ctx), "baggage is somebody else's")

				out := carrier()
				p.Inject(ctx, out)
				assert.Equal(t, map[string]string{"traceparent": parent, "tracestate": "a=1,b=2"}, written(out))
				assert.Zero(t, counters.Figures())
			})
		}
	}
}

func TestTraceContextOfMalformedIsAbsentAndCounted(t *testing.T) {
	before := contextWith(t, spanContext(t, trace.FlagsSampled, "old=1"), "")
	for name, carrier := range carriers {
		for _, tt := range malformed {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				p, counters := counting()
				assert.Equal(t, before, p.Extract(before, fill(carrier(), tt.in, "a=1", "")), "nor is its tracestate read")
				var want propagate.Figures
				if tt.in != "" {
					want.Malformed = 1
				}
				assert.Equal(t, want, counters.Figures())
			})
		}
	}
}

func TestTraceContextOfRepeatedTraceparentIsAbsent(t *testing.T) {
	for name, carrier := range map[string]propagation.TextMapCarrier{
		"header":       propagation.HeaderCarrier{"Traceparent": {sampled, sampled}, "Tracestate": {"a=1"}},
		"lower case":   propagation.HeaderCarrier{"traceparent": {sampled, sampled}},
		"values":       multi{"traceparent": {sampled, unsampled}},
		"an empty one": multi{"traceparent": {sampled, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p, counters := counting()
			assert.Equal(t, t.Context(), p.Extract(t.Context(), carrier))
			assert.Equal(t, propagate.Figures{Malformed: 1}, counters.Figures())
		})
	}
}

// Headers of gRPC and of NATS may be converted to OTel's carrier as they are.
func TestHeaderCarrierInLowerCase(t *testing.T) {
	p, _ := counting()
	ctx := p.Extract(t.Context(), propagation.HeaderCarrier{
		"traceparent": {sampled}, "tracestate": {"a=1", "b=2"},
	})
	assert.Equal(t, sampled[3:35], trace.SpanContextFromContext(ctx).TraceID().String())
	assert.Equal(t, "a=1,b=2", resent(ctx))
}

func TestTraceContextLosesNothingButAnInvalidTraceState(t *testing.T) {
	for _, state := range []string{"a", "A=1", "a=1;b=\x00", strings.Repeat("a=1,", 40), "a=1,@b=2"} {
		p, counters := counting()
		ctx := p.Extract(t.Context(), propagation.HeaderCarrier{"Traceparent": {unsampled}, "Tracestate": {"x=1", state}})
		assert.True(t, spanContext(t, 0, "").WithRemote(true).Equal(trace.SpanContextFromContext(ctx)), state)
		assert.Empty(t, resent(ctx), state)
		assert.Equal(t, propagate.Figures{TraceStateRefused: 1}, counters.Figures(), state)
	}
}

func TestTheFirstMemberOfAKeyStays(t *testing.T) {
	standard, ofStandard := counting()
	first := sampledFirst()
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		counters   *propagate.Counters
	}{"standard": {standard, ofStandard}, "sampled first": {first, first.Counters}} {
		t.Run(name, func(t *testing.T) {
			ctx := tt.propagator.Extract(t.Context(), propagation.HeaderCarrier{
				"Traceparent": {sampled}, "Tracestate": {"a=1,b=2,a=3", "9=4,9=5,c=6"},
			})
			assert.Equal(t, "a=1,b=2,9=4,c=6", resent(ctx))
			assert.Equal(t, propagate.Figures{TraceStateCut: 2}, tt.counters.Figures())
		})
	}
}

func TestTraceContextTakesAwayWhatItDoesNotWrite(t *testing.T) {
	for name, carrier := range carriers {
		for _, tt := range []struct {
			name string
			sc   trace.SpanContext
			want map[string]string
		}{
			{"nothing", trace.SpanContext{}, map[string]string{"baggage": "kept=yes"}},
			{"no tracestate", spanContext(t, 0, ""), map[string]string{"traceparent": unsampled, "baggage": "kept=yes"}},
			{"both", spanContext(t, 1, "a=1"), map[string]string{
				"traceparent": sampled, "tracestate": "a=1", "baggage": "kept=yes",
			}},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				p, _ := counting()
				c := fill(carrier(), stale, "stale=1", "kept=yes")
				p.Inject(contextWith(t, tt.sc, "user=alice"), c)
				assert.Equal(t, tt.want, written(c))
			})
		}
	}
}

func TestTraceContextIsAValue(t *testing.T) {
	assert.Contains(t, map[propagation.TextMapPropagator]bool{propagate.TraceContext{}: true}, propagate.TraceContext{})
	fields := propagate.TraceContext{}.Fields()
	assert.Equal(t, propagation.TraceContext{}.Fields(), fields)
	fields[0] = "changed"
	assert.Equal(t, "traceparent", propagate.TraceContext{}.Fields()[0])

	before := propagate.DefaultCounters().Figures().Malformed
	propagate.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": "x"})
	assert.Greater(t, propagate.DefaultCounters().Figures().Malformed, before)
}

// mixedState has two members that OTel's type cannot hold.
const mixedState = "a=1,foo@=2,b=3,4th=4"

// A request never sees what another one brought, even if they are of the same
// trace and the context is used again.
func TestMembersBesideTheTraceStateAreOfOneRequest(t *testing.T) {
	first := sampledFirst()
	standard, _ := counting()
	for name, tt := range map[string]struct {
		p      propagation.TextMapPropagator
		parent string
		state  []string
		want   string
	}{
		"the same":             {standard, sampled, []string{mixedState}, mixedState},
		"others":               {standard, sampled, []string{"9=9", "b=0"}, "9=9,b=0"},
		"none":                 {standard, sampled, nil, ""},
		"an empty one":         {standard, sampled, []string{""}, ""},
		"none beside":          {standard, sampled, []string{"a=1,b=3"}, "a=1,b=3"},
		"invalid":              {standard, sampled, []string{"a=1,b"}, ""},
		"unsampled":            {standard, unsampled, []string{"a=1,b=3"}, "a=1,b=3"},
		"another trace":        {standard, stale, []string{"a=1,b=3"}, "a=1,b=3"},
		"first, others":        {first, sampled, []string{"9=9"}, "9=9"},
		"first, none":          {first, sampled, nil, ""},
		"first, unsampled":     {first, unsampled, []string{"9=9"}, ""},
		"no trace, so the old": {standard, "", nil, mixedState},
	} {
		t.Run(name, func(t *testing.T) {
			used := standard.Extract(t.Context(), propagation.MapCarrier{"traceparent": sampled, "tracestate": mixedState})
			require.Equal(t, mixedState, resent(used))
			h := propagation.HeaderCarrier{"Tracestate": tt.state}
			if tt.parent != "" {
				h["Traceparent"] = []string{tt.parent}
			}
			assert.Equal(t, tt.want, resent(tt.p.Extract(used, h)))
			assert.Equal(t, mixedState, resent(used), "the base is as it was")
		})
	}
}

// editor is a sampler that changes the tracestate, as those do that record what
// they have decided.
type editor struct{ key, value string }

func (e editor) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	state, err := trace.SpanContextFromContext(p.ParentContext).TraceState().Insert(e.key, e.value)
	if err != nil {
		panic(err)
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
}
func (editor) Description() string { return "editor" }

func TestWhatASamplerChangesStandsInFront(t *testing.T) {
	for key, want := range map[string]string{
		"new": "new=0,a=1,foo@=2,b=3,4th=4",
		"a":   "a=0,foo@=2,b=3,4th=4",
		"b":   "b=0,a=1,foo@=2,4th=4",
	} {
		t.Run(key, func(t *testing.T) {
			provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(editor{key, "0"}))
			t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
			p, _ := counting()
			ctx := p.Extract(t.Context(), propagation.MapCarrier{"traceparent": sampled, "tracestate": mixedState})
			for range 3 {
				var span trace.Span
				ctx, span = provider.Tracer("test").Start(ctx, "work")
				assert.Equal(t, want, resent(ctx))
				span.End()
			}
			_, root := provider.Tracer("test").Start(ctx, "root", trace.WithNewRoot())
			defer root.End()
			assert.NotContains(t, resent(trace.ContextWithSpan(ctx, root)), "foo@", "another trace")
		})
	}
}

func TestMoreMembersThanAllowedAreCutAndCounted(t *testing.T) {
	p, counters := counting()
	var list []string
	for i := range 31 {
		list = append(list, fmt.Sprintf("k%d=%d", i, i))
	}
	ctx := p.Extract(t.Context(), propagation.HeaderCarrier{
		"Traceparent": {sampled}, "Tracestate": {strings.Join(list, ","), "foo@=2"},
	})
	assert.Zero(t, counters.Figures())
	sc := trace.SpanContextFromContext(ctx)
	state, err := sc.TraceState().Insert("new", "0")
	require.NoError(t, err)
	out := propagation.MapCarrier{}
	p.Inject(trace.ContextWithSpanContext(ctx, sc.WithTraceState(state)), out)
	assert.Equal(t, "new=0,"+strings.Join(list, ","), out["tracestate"], "the last one gave way")
	assert.Equal(t, propagate.Figures{TraceStateCut: 1}, counters.Figures())
}

func TestEnvelopesCarryTheWholeTraceState(t *testing.T) {
	p, _ := counting()
	for _, parent := range []string{sampled, unsampled} {
		ctx := p.Extract(t.Context(), propagation.MapCarrier{"traceparent": parent, "tracestate": mixedState})
		h := envelope.CarryPolicy{Unsampled: true}.Header(ctx)
		handler, _ := envelope.New("message", h).Unwrap(t.Context())
		assert.Equal(t, mixedState, resent(handler))
	}
}

func TestTraceContextConcurrently(t *testing.T) {
	p, counters := counting()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			state := fmt.Sprintf("a=%d,foo@=%d", worker%3, worker%3)
			in := propagation.HeaderCarrier{"Traceparent": {sampled}, "Tracestate": {state}}
			for range 200 {
				out := propagation.HeaderCarrier{}
				p.Inject(p.Extract(t.Context(), in), out)
				assert.Equal(t, in, out)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, counters.Figures())
}
