// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/propagators/envcar"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/propagate"
)

// TestMain is the program that is started, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	stale       = "00-11111111111111111111111111111111-2222222222222222-01"
)

var (
	spanLine = regexp.MustCompile(`(\w+): span (\w+) "([^"]+)" in trace (\w+), (?:a root|below span (\w+))`)
	started  = regexp.MustCompile(`parent: starts .*`)
)

// A program that this process was itself started with must not become the parent of what
// it starts.
func TestTracesReachTheChild(t *testing.T) {
	t.Setenv("TRACEPARENT", stale)
	t.Setenv("TRACESTATE", "stale=1")
	t.Setenv("BAGGAGE", "stale=yes")
	var out bytes.Buffer
	require.NoError(t, parent(t.Context(), &out))
	assert.Len(t, started.FindAllString(out.String(), -1), 3, out.String())
	assert.NotContains(t, out.String(), stale[3:35], "what this process was started with")

	spans := spanLine.FindAllStringSubmatch(out.String(), -1)
	require.Len(t, spans, 3, out.String())
	first, outer, last := spans[0], spans[1], spans[2]
	assert.Equal(t, []string{"child", "resize"}, []string{first[1], first[3]})
	assert.Equal(t, []string{"parent", "make thumbnail"}, []string{outer[1], outer[3]})
	assert.Equal(t, outer[4], first[4], "one trace")
	assert.Equal(t, outer[2], first[5], "below the span that started it")
	assert.Equal(t, []string{"child", "resize", ""}, []string{last[1], last[3], last[5]})
	assert.NotEqual(t, outer[4], last[4], "a trace of its own")
}

// TestVariables checks the names of the variables, and that what is not written is taken
// away.
func TestVariables(t *testing.T) {
	inject := func(p propagation.TextMapPropagator, sc trace.SpanContext, bag string) string {
		ctx := trace.ContextWithSpanContext(t.Context(), sc)
		members, err := baggage.Parse(bag)
		require.NoError(t, err)
		var set []string
		p.Inject(baggage.ContextWithBaggage(ctx, members), &envcar.Carrier{
			SetEnvFunc: func(key, value string) { set = append(set, key+"="+value) },
		})
		return strings.Join(set, "\n")
	}
	sc, err := propagate.ParseTraceparent(traceparent)
	require.NoError(t, err)
	state, err := trace.ParseTraceState("a=1")
	require.NoError(t, err)
	for _, name := range []string{"TRACEPARENT", "TRACESTATE", "BAGGAGE"} {
		t.Setenv(name, "")
	}
	for _, p := range []propagation.TextMapPropagator{propagator, propagate.SampledFirst{}} {
		assert.Equal(t, "TRACEPARENT="+traceparent+"\nTRACESTATE=a=1\nBAGGAGE=user=alice",
			inject(p, sc.WithTraceState(state), "user=alice"))
		assert.Empty(t, inject(p, trace.SpanContext{}, ""))
	}

	t.Setenv("TRACEPARENT", stale)
	t.Setenv("TRACESTATE", "stale=1")
	t.Setenv("BAGGAGE", "stale=yes")
	for _, p := range []propagation.TextMapPropagator{propagator, propagate.SampledFirst{}} {
		assert.Equal(t, "TRACEPARENT=\nTRACESTATE=\nBAGGAGE=", inject(p, trace.SpanContext{}, ""))
		assert.Equal(t, "TRACEPARENT="+traceparent+"\nTRACESTATE=\nBAGGAGE=", inject(p, sc, ""))
	}
	assert.Empty(t, inject(propagation.TraceContext{}, trace.SpanContext{}, ""),
		"OTel's takes the stale ones away now: say so in docs/propagation.md")
}

// Both propagators read the variables, and take malformed ones for absent.
func TestVariablesAreRead(t *testing.T) {
	for _, tt := range []struct {
		parent, state, bag string
		want               bool
		refused            uint64
	}{
		{traceparent, "a=1", "user=alice", true, 0},
		{"", "", "", false, 0},
		{traceparent + "-", "a=1", "", false, 1},
		{"$TRACEPARENT", "", "", false, 1},
	} {
		t.Setenv("TRACEPARENT", tt.parent)
		t.Setenv("TRACESTATE", tt.state)
		t.Setenv("BAGGAGE", tt.bag)
		counters := new(propagate.Counters)
		for _, p := range []propagation.TextMapPropagator{
			propagate.SampledFirst{Counters: counters},
			propagation.NewCompositeTextMapPropagator(
				propagate.TraceContext{Counters: counters}, propagate.Baggage{Counters: counters}),
		} {
			ctx := p.Extract(t.Context(), &envcar.Carrier{})
			sc := trace.SpanContextFromContext(ctx)
			assert.Equal(t, tt.want, sc.IsSampled(), tt.parent)
			assert.Equal(t, tt.want && tt.state != "", sc.TraceState().Len() > 0)
			assert.Equal(t, tt.bag, baggage.FromContext(ctx).String())
		}
		assert.Equal(t, 2*tt.refused, counters.Counts().Refused, tt.parent)
	}
}
