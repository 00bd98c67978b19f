// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/sampler"
)

func linkBoundary() propagate.Boundary {
	return propagate.Boundary{Policy: propagate.Link, Propagator: inside, Counters: new(propagate.Counters)}
}

var fromCaller = propagation.MapCarrier{"traceparent": sampled, "tracestate": forged}

func TestTracerProviderOfOtherPoliciesIsTheOneGiven(t *testing.T) {
	provider, _ := recorder(t, sdktrace.AlwaysSample())
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Ignore} {
		assert.Same(t, provider, propagate.Boundary{Policy: policy, Propagator: inside}.TracerProvider(provider))
	}
}

// The spans are the SDK's own, with what their tracer was made with.
func TestTracerProviderMakesRealSpans(t *testing.T) {
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	boundary := linkBoundary()
	tracer := boundary.TracerProvider(provider).Tracer("scope", trace.WithInstrumentationVersion("v1"))
	opts := make([]trace.SpanStartOption, 1, 8)
	opts[0] = trace.WithAttributes(attribute.String("k", "v"))
	for range 2 { // The options of the caller stay as they are.
		ctx, span := tracer.Start(boundary.Extract(t.Context(), fromCaller), "first", opts...)
		assert.Implements(t, (*sdktrace.ReadWriteSpan)(nil), span)
		assert.Equal(t, span, trace.SpanFromContext(ctx))
		assert.Same(t, provider, span.TracerProvider())
		span.End()
	}
	assert.Nil(t, opts[:2][1])
	for _, span := range recorded.Ended() {
		assert.Equal(t, "first", span.Name())
		assert.Equal(t, "scope", span.InstrumentationScope().Name)
		assert.Equal(t, "v1", span.InstrumentationScope().Version)
		assert.Equal(t, []attribute.KeyValue{attribute.String("k", "v")}, span.Attributes())
		checkCallerLink(t, span.Links(), true)
	}
}

// Links of the application come beside the caller's.
func TestTracerProviderKeepsOtherLinks(t *testing.T) {
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	boundary := linkBoundary()
	other := trace.Link{SpanContext: spanContext(t, 0, "").WithSpanID(trace.SpanID{1})}
	_, span := boundary.TracerProvider(provider).Tracer("").Start(
		boundary.Extract(t.Context(), fromCaller), "first", trace.WithLinks(other))
	span.End()
	links := recorded.Ended()[0].Links()
	require.Len(t, links, 2)
	assert.True(t, links[0].SpanContext.Equal(other.SpanContext))
	checkCallerLink(t, links[1:], true)
}

// Instrumentation of gRPC replaces the span in the context by its identifiers,
// marked as remote, before it starts its own.
func TestTracerProviderBehindAContextMarkedAsRemote(t *testing.T) {
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	boundary := linkBoundary()
	tracer := boundary.TracerProvider(provider).Tracer("")
	local, base := provider.Tracer("").Start(t.Context(), "base")
	for _, before := range []context.Context{t.Context(), local} {
		ctx := boundary.Extract(before, fromCaller)
		_, span := tracer.Start(trace.ContextWithRemoteSpanContext(ctx, trace.SpanContextFromContext(ctx)), "first")
		span.End()
	}
	base.End()
	for _, span := range recorded.Ended()[:2] {
		assert.False(t, span.Parent().IsValid())
		checkCallerLink(t, span.Links()[:1], true)
	}
}

// Every span that has no other parent is at the boundary, whichever is started
// first; and a root that the application asks for further down is its own.
func TestTracerProviderTellsWhoIsFirst(t *testing.T) {
	provider, recorded := recorder(t, sdktrace.NeverSample())
	everyone := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded))
	boundary := linkBoundary()
	ctx := boundary.Extract(t.Context(), fromCaller)
	tracer := boundary.TracerProvider(everyone).Tracer("")
	below, a := tracer.Start(ctx, "a")
	_, b := tracer.Start(ctx, "b")
	_, root := tracer.Start(below, "root", trace.WithNewRoot())
	unlinked, dropped := boundary.TracerProvider(provider).Tracer("").Start(ctx, "dropped")
	_, under := tracer.Start(unlinked, "under")
	for _, span := range []trace.Span{a, b, root, dropped, under} {
		span.End()
	}
	links := map[string]int{}
	for _, span := range recorded.Ended() {
		links[span.Name()] = len(span.Links())
	}
	assert.Equal(t, map[string]int{"a": 1, "b": 1, "root": 0}, links, "under is unsampled, as its parent is")
}

// A span that somebody else has put between is the parent, whichever its trace.
func TestTracerProviderBelowASpanOfTheServersTrace(t *testing.T) {
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	boundary := linkBoundary()
	base, local := provider.Tracer("").Start(t.Context(), "base")
	between, span := provider.Tracer("").Start(boundary.Extract(base, fromCaller), "between")
	_, below := boundary.TracerProvider(provider).Tracer("").Start(between, "below")
	below.End()
	span.End()
	local.End()
	got := recorded.Ended()[0]
	assert.Empty(t, got.Links())
	assert.Equal(t, span.SpanContext().SpanID(), got.Parent().SpanID())
	assert.Equal(t, local.SpanContext().TraceID(), got.SpanContext().TraceID())
}

// A request to force a span, which lies in the context, still reaches a
// sampler.
func TestTracerProviderLeavesForceAlone(t *testing.T) {
	boundary := linkBoundary()
	_, recorded := recorder(t, sdktrace.AlwaysSample())
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded),
		sdktrace.WithSampler(sampler.Wrap(sdktrace.NeverSample())))
	_, span := boundary.TracerProvider(provider).Tracer("").Start(
		sampling.Force(boundary.Extract(t.Context(), fromCaller)), "forced")
	span.End()
	require.Len(t, recorded.Ended(), 1)
	checkCallerLink(t, recorded.Ended()[0].Links(), true)
}

func TestCallerLink(t *testing.T) {
	boundary := linkBoundary()
	_, ok := propagate.CallerLink(t.Context())
	assert.False(t, ok)
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Ignore} {
		other := propagate.Boundary{Policy: policy, Propagator: inside, Counters: new(propagate.Counters)}
		_, ok = propagate.CallerLink(other.Extract(t.Context(), fromCaller))
		assert.False(t, ok)
	}

	ctx := boundary.Extract(t.Context(), fromCaller)
	assert.False(t, trace.SpanContextFromContext(ctx).IsValid())
	link, ok := propagate.CallerLink(ctx)
	require.True(t, ok)
	link.Attributes[0] = attribute.String("changed", "by its owner")
	link, _ = propagate.CallerLink(ctx)
	checkCallerLink(t, []sdktrace.Link{{SpanContext: link.SpanContext, Attributes: link.Attributes}}, true)

	// Without the provider: a root of any other, to which the link is added.
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	ctx, span := provider.Tracer("").Start(ctx, "first")
	link, ok = propagate.CallerLink(ctx)
	require.True(t, ok)
	span.AddLink(link)
	span.End()
	assert.False(t, recorded.Ended()[0].Parent().IsValid())
	checkCallerLink(t, recorded.Ended()[0].Links(), true)
}

// What an earlier request said is forgotten, whatever the next one says.
func TestCallerLinkIsOfTheLastExtraction(t *testing.T) {
	for _, policy := range []propagate.Policy{propagate.Continue, propagate.Link, propagate.Ignore} {
		next := propagate.Boundary{Policy: policy, Propagator: inside, Counters: new(propagate.Counters)}
		for _, carrier := range []propagation.MapCarrier{{}, {"traceparent": "x"}, {"traceparent": stale}} {
			ctx := next.Extract(linkBoundary().Extract(t.Context(), fromCaller), carrier)
			link, ok := propagate.CallerLink(ctx)
			assert.Equal(t, policy == propagate.Link && carrier["traceparent"] == stale, ok, "%v %v", policy, carrier)
			assert.NotEqual(t, traceID, link.SpanContext.TraceID().String())
		}
	}
}

// Requests that are handled at the same time are linked each to its own caller.
func TestBoundaryConcurrently(t *testing.T) {
	const workers, rounds = 8, 100
	var counters propagate.Counters
	boundary := propagate.Boundary{Policy: propagate.Link, Propagator: inside, Counters: &counters}
	provider, recorded := recorder(t, sdktrace.AlwaysSample())
	tracer := boundary.TracerProvider(provider).Tracer("")
	base, local := provider.Tracer("").Start(t.Context(), "base")
	var wg sync.WaitGroup
	for worker := range uint64(workers) {
		wg.Go(func() {
			for round := range uint64(rounds) {
				var id trace.SpanID
				binary.BigEndian.PutUint64(id[:], worker*rounds+round+1)
				c := propagation.MapCarrier{"traceparent": "00-" + traceID + "-" + id.String() + "-01"}
				ctx, span := tracer.Start(boundary.Extract(base, c), id.String())
				_, child := tracer.Start(ctx, "child")
				child.End()
				span.End()
			}
		})
	}
	wg.Wait()
	local.End()
	assert.Equal(t, propagate.Figures{BoundaryLinked: workers * rounds}, counters.Figures())
	firsts := 0
	for _, span := range recorded.Ended() {
		if span.Name() == "child" || span.Name() == "base" {
			assert.Empty(t, span.Links())
			continue
		}
		firsts++
		require.Len(t, span.Links(), 2)
		assert.Equal(t, span.Name(), span.Links()[0].SpanContext.SpanID().String())
	}
	assert.Equal(t, workers*rounds, firsts)
}
