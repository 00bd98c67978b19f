// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/propagate"
)

// inside is what a boundary at a public listener has inside.
var inside = propagation.NewCompositeTextMapPropagator(
	propagate.TraceContext{}, propagate.Baggage{Allow: []string{"user"}, Counters: new(propagate.Counters)})

// forged is a tracestate by which a caller would count a thousandfold.
const forged = "waybill=w:1000;p:0.001;n:10000;d:1,a=1"

// recorder makes a provider with the sampler that most services have, and
// records what it ends.
func recorder(t *testing.T, root sdktrace.Sampler) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	t.Helper()
	recorded := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(root)), sdktrace.WithSpanProcessor(recorded))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
	return provider, recorded
}

// listener serves requests as instrumentation does by hand: the first span, and
// one below it.
func listener(t *testing.T, base context.Context, boundary propagate.Boundary, provider trace.TracerProvider) string {
	t.Helper()
	tracer := boundary.TracerProvider(provider).Tracer("test")
	return serve(t, func(_ http.ResponseWriter, r *http.Request) {
		ctx := boundary.Extract(trace.ContextWithSpan(r.Context(), trace.SpanFromContext(base)),
			propagation.HeaderCarrier(r.Header))
		ctx, server := tracer.Start(ctx, "serve", trace.WithSpanKind(trace.SpanKindServer))
		defer server.End()
		_, child := tracer.Start(ctx, "work")
		child.End()
	})
}

// request sends headers as they are.
func request(t *testing.T, target, parent, state, bag string) {
	t.Helper()
	get(t, target, verbatim{parent, state, bag}, trace.SpanContext{}, "")
}

type verbatim struct{ parent, state, bag string }

func (v verbatim) Inject(_ context.Context, c propagation.TextMapCarrier) {
	fill(c, v.parent, v.state, v.bag)
}
func (verbatim) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (verbatim) Fields() []string { return nil }

// policies is what each policy should make of each caller.
var policies = []struct {
	name, parent string
	policy       propagate.Policy
	parented     bool // The first span goes on with the caller's trace.
	linked       bool
	spans        int // Sampled, with a root sampler that takes all.
	counts       propagate.Figures
}{
	{"continue, sampled", sampled, propagate.Continue, true, false, 2, propagate.Figures{}},
	{"continue, unsampled", unsampled, propagate.Continue, true, false, 0, propagate.Figures{}},
	{"continue, malformed", sampled + "-x", propagate.Continue, false, false, 2, propagate.Figures{}},
	{"continue, none", "", propagate.Continue, false, false, 2, propagate.Figures{}},
	{"IDs, sampled", sampled, propagate.ContinueIDs, true, false, 2, propagate.Figures{}},
	{"IDs, unsampled", unsampled, propagate.ContinueIDs, true, false, 0, propagate.Figures{}},
	{"IDs, malformed", sampled + "-x", propagate.ContinueIDs, false, false, 2, propagate.Figures{}},
	{"IDs, none", "", propagate.ContinueIDs, false, false, 2, propagate.Figures{}},
	{"link, sampled", sampled, propagate.Link, false, true, 2, propagate.Figures{BoundaryLinked: 1}},
	{"link, unsampled", unsampled, propagate.Link, false, true, 2, propagate.Figures{BoundaryLinked: 1}},
	{"link, malformed", sampled + "-x", propagate.Link, false, false, 2, propagate.Figures{}},
	{"link, none", "", propagate.Link, false, false, 2, propagate.Figures{}},
	{"ignore, sampled", sampled, propagate.Ignore, false, false, 2, propagate.Figures{BoundaryIgnored: 1}},
	{"ignore, unsampled", unsampled, propagate.Ignore, false, false, 2, propagate.Figures{BoundaryIgnored: 1}},
	{"ignore, malformed", sampled + "-x", propagate.Ignore, false, false, 2, propagate.Figures{}},
	{"ignore, none", "", propagate.Ignore, false, false, 2, propagate.Figures{}},
	{"unknown, sampled", sampled, 77, false, false, 2, propagate.Figures{BoundaryIgnored: 1}},
}

func TestBoundaryOverHTTP(t *testing.T) {
	for _, tt := range policies {
		t.Run(tt.name, func(t *testing.T) {
			var counters propagate.Counters
			boundary := propagate.Boundary{Policy: tt.policy, Propagator: inside, Counters: &counters}
			provider, recorded := recorder(t, sdktrace.AlwaysSample())
			request(t, listener(t, t.Context(), boundary, provider), tt.parent, forged, "user=alice,secret=x")

			assert.Equal(t, tt.counts, counters.Figures())
			ended := recorded.Ended()
			require.Len(t, ended, tt.spans)
			if tt.spans == 0 {
				return
			}
			child, first := ended[0], ended[1]
			assert.Equal(t, first.SpanContext().SpanID(), child.Parent().SpanID())
			assert.Equal(t, first.SpanContext().TraceID(), child.SpanContext().TraceID())
			assert.Empty(t, child.Links(), "only the first span is at the boundary")

			assert.Equal(t, tt.parented, first.Parent().IsValid())
			assert.Equal(t, tt.parented, first.SpanContext().TraceID().String() == traceID)
			trusted := tt.parented && tt.policy == propagate.Continue
			assert.Equal(t, trusted, first.SpanContext().TraceState().Len() > 0)
			assert.Equal(t, trusted, fanout.FromTraceState(first.SpanContext().TraceState()).Weight > 1, "forged")
			if !tt.linked {
				assert.Empty(t, first.Links())
				return
			}
			checkCallerLink(t, first.Links(), peek(tt.parent) == saysSampled)
		})
	}
}

// checkCallerLink expects one link, to the caller.
func checkCallerLink(t *testing.T, links []sdktrace.Link, isSampled bool) {
	t.Helper()
	require.Len(t, links, 1)
	sc := links[0].SpanContext
	assert.Equal(t, traceID, sc.TraceID().String())
	assert.Equal(t, spanID, sc.SpanID().String())
	assert.Equal(t, isSampled, sc.IsSampled())
	assert.True(t, sc.IsRemote())
	assert.Zero(t, sc.TraceState().Len(), "not the caller's tracestate")
	require.Len(t, links[0].Attributes, 1)
	assert.Equal(t, "waybill.link.reason", string(links[0].Attributes[0].Key))
	assert.Equal(t, "boundary", links[0].Attributes[0].Value.AsString())
}

// The sampler decides on a new root, whatever the caller's flag says.
func TestBoundaryLeavesTheDecisionToTheSampler(t *testing.T) {
	for _, policy := range []propagate.Policy{propagate.Link, propagate.Ignore} {
		for root, want := range map[sdktrace.Sampler]int{sdktrace.AlwaysSample(): 2, sdktrace.NeverSample(): 0} {
			for _, parent := range []string{sampled, unsampled} {
				boundary := propagate.Boundary{Policy: policy, Propagator: inside, Counters: new(propagate.Counters)}
				provider, recorded := recorder(t, root)
				request(t, listener(t, t.Context(), boundary, provider), parent, "", "")
				assert.Len(t, recorded.Ended(), want, "%v %v %v", policy, root.Description(), parent)
			}
		}
	}
}

func TestBoundaryLetsInAllowedBaggageAlone(t *testing.T) {
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Link, propagate.Ignore} {
		for name, parent := range map[string]string{"sampled": sampled, "unsampled": unsampled, "none": ""} {
			t.Run(fmt.Sprint(policy, "/", name), func(t *testing.T) {
				boundary := propagate.Boundary{Policy: policy, Propagator: inside, Counters: new(propagate.Counters)}
				c := fill(propagation.MapCarrier{}, parent, "", "user=bob,secret=x")
				before := contextWith(t, trace.SpanContext{}, "user=server")
				assert.Equal(t, "user=bob", bagOf(boundary.Extract(before, c)))
				assert.Equal(t, "user=server", bagOf(boundary.Extract(before, propagation.MapCarrier{})))
			})
		}
	}
}

// A span that is in the context already is the server's own.
func TestBoundaryWithALocalSpan(t *testing.T) {
	for name, tt := range map[string]struct {
		policy propagate.Policy
		parent string
		child  bool // Of the local span.
		links  int
	}{
		"ignore":          {propagate.Ignore, sampled, true, 0},
		"ignore, none":    {propagate.Ignore, "", true, 0},
		"link":            {propagate.Link, sampled, false, 2},
		"link, none":      {propagate.Link, "", true, 0},
		"continue":        {propagate.Continue, sampled, false, 0},
		"continue, none":  {propagate.Continue, "", true, 0},
		"link, malformed": {propagate.Link, "x", true, 0},
		"link, unsampled": {propagate.Link, unsampled, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			boundary := propagate.Boundary{Policy: tt.policy, Propagator: inside, Counters: new(propagate.Counters)}
			provider, recorded := recorder(t, sdktrace.AlwaysSample())
			base, local := provider.Tracer("test").Start(t.Context(), "life of the server")
			request(t, listener(t, base, boundary, provider), tt.parent, "", "")
			local.End()

			ended := recorded.Ended()
			require.Len(t, ended, 3)
			first := ended[1]
			assert.Equal(t, tt.child, first.Parent().SpanID() == local.SpanContext().SpanID())
			assert.Equal(t, tt.child, first.SpanContext().TraceID() == local.SpanContext().TraceID())
			require.Len(t, first.Links(), tt.links)
			assert.Empty(t, ended[0].Links())
			if tt.links == 2 {
				assert.False(t, first.Parent().IsValid())
				checkCallerLink(t, first.Links()[:1], peek(tt.parent) == saysSampled)
				assert.True(t, first.Links()[1].SpanContext.Equal(local.SpanContext()))
				assert.Equal(t, "local", first.Links()[1].Attributes[0].Value.AsString())
			}
		})
	}
}

func TestBoundaryInjectGoesInside(t *testing.T) {
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Link, propagate.Ignore} {
		boundary := propagate.Boundary{Policy: policy, Propagator: inside}
		ctx := contextWith(t, spanContext(t, trace.FlagsSampled, "a=1"), "user=alice,secret=x")
		want, got := propagation.MapCarrier{}, propagation.MapCarrier{}
		inside.Inject(ctx, want)
		boundary.Inject(ctx, got)
		assert.Equal(t, want, got)
		assert.Equal(t, "user=alice", got["baggage"])
		assert.ElementsMatch(t, inside.Fields(), boundary.Fields())

		// What came from a caller does not go on behind its back.
		got = propagation.MapCarrier{}
		boundary.Inject(boundary.Extract(t.Context(), propagation.MapCarrier{"traceparent": sampled}), got)
		assert.Equal(t, policy == propagate.Continue, got["traceparent"] == sampled)
	}
}

// seen is a propagator that leaves a value of its own in the context.
type seen struct{ propagation.TextMapPropagator }

type seenKey struct{}

func (s seen) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	return context.WithValue(s.TextMapPropagator.Extract(ctx, c), seenKey{}, true)
}

// Of what a stranger sends, baggage goes on and nothing else.
func TestBoundaryLetsInNothingElse(t *testing.T) {
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Link, propagate.Ignore} {
		boundary := propagate.Boundary{Policy: policy, Propagator: seen{inside}, Counters: new(propagate.Counters)}
		ctx := boundary.Extract(t.Context(), propagation.MapCarrier{"traceparent": sampled, "baggage": "user=alice"})
		assert.Equal(t, policy == propagate.Continue, ctx.Value(seenKey{}) != nil)
		assert.Equal(t, policy == propagate.Continue, trace.SpanContextFromContext(ctx).IsValid())
		assert.Equal(t, "user=alice", bagOf(ctx))
	}
}

// clearing is a propagator that lets nobody's baggage through.
type clearing struct{ propagation.TextMapPropagator }

func (c clearing) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return baggage.ContextWithoutBaggage(ctx)
}

func TestBoundaryLetsBaggageBeTakenAway(t *testing.T) {
	before := contextWith(t, trace.SpanContext{}, "user=server")
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Link, propagate.Ignore} {
		boundary := propagate.Boundary{Policy: policy, Propagator: clearing{}}
		assert.Empty(t, bagOf(boundary.Extract(before, propagation.MapCarrier{})))
	}
}

// As Boundary says, which is why it asks for something else.
func TestBoundaryWithSampledFirstInside(t *testing.T) {
	for parent, want := range map[string]string{sampled: "user=alice", unsampled: "", "": "user=alice"} {
		boundary := propagate.Boundary{Policy: propagate.Ignore, Propagator: sampledFirst(), Counters: new(propagate.Counters)}
		ctx := boundary.Extract(t.Context(), propagation.MapCarrier{"traceparent": parent, "baggage": "user=alice"})
		assert.Equal(t, want, bagOf(ctx), parent)
		assert.False(t, trace.SpanContextFromContext(ctx).IsValid())
	}
}

func TestBoundaryWithNothingInside(t *testing.T) {
	boundary := propagate.Boundary{Policy: propagate.Link}
	c := propagation.MapCarrier{"traceparent": sampled}
	assert.Equal(t, t.Context(), boundary.Extract(t.Context(), c))
	boundary.Inject(contextWith(t, spanContext(t, 0, ""), ""), c)
	assert.Equal(t, propagation.MapCarrier{"traceparent": sampled}, c)
	assert.Empty(t, boundary.Fields())
}

func TestBoundaryCountsByDefault(t *testing.T) {
	c := propagation.MapCarrier{"traceparent": sampled}
	before := propagate.DefaultCounters().Figures().BoundaryLinked
	propagate.Boundary{Policy: propagate.Link, Propagator: inside}.Extract(t.Context(), c)
	assert.Equal(t, before+1, propagate.DefaultCounters().Figures().BoundaryLinked)
}
