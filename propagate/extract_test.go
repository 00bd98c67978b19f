// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// fill writes all three headers.
func fill(c propagation.TextMapCarrier, parent, state, bag string) propagation.TextMapCarrier {
	c.Set("traceparent", parent)
	c.Set("tracestate", state)
	c.Set("baggage", bag)
	return c
}

func TestExtractSampled(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			p := sampledFirst()
			ctx := p.Extract(t.Context(), fill(carrier(), sampled, "a=1,b=2", "user=alice"))
			want := spanContext(t, trace.FlagsSampled, "a=1,b=2").WithRemote(true)
			assert.True(t, want.Equal(trace.SpanContextFromContext(ctx)))
			assert.Equal(t, "user=alice", bagOf(ctx))
			assert.Zero(t, p.Counters.Figures())
		})
	}
}

func TestExtractUnsampledCarriesTheIdentifiersAlone(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			p := sampledFirst()
			ctx := p.Extract(t.Context(), fill(carrier(), unsampled, "a=1,b=2", "user=alice"))
			want := spanContext(t, 0, "").WithRemote(true)
			assert.True(t, want.Equal(trace.SpanContextFromContext(ctx)))
			assert.Empty(t, bagOf(ctx))
			assert.Equal(t, propagate.Figures{UnsampledCarried: 1}, p.Counters.Figures())
		})
	}
}

func TestExtractDropsUnsampled(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			p := dropUnsampled()
			assert.Equal(t, t.Context(), p.Extract(t.Context(), fill(carrier(), unsampled, "a=1", "user=alice")))
			assert.Equal(t, propagate.Figures{UnsampledDropped: 1}, p.Counters.Figures())

			ctx := p.Extract(t.Context(), fill(carrier(), sampled, "a=1", "user=alice"))
			assert.True(t, trace.SpanContextFromContext(ctx).IsSampled())
			assert.Equal(t, "user=alice", bagOf(ctx))
		})
	}
}

func TestExtractMalformedIsAbsentAndCounted(t *testing.T) {
	for name, carrier := range carriers {
		for _, tt := range malformed {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				p := dropUnsampled()
				before := contextWith(t, spanContext(t, trace.FlagsSampled, ""), "")
				ctx := p.Extract(before, fill(carrier(), tt.in, "a=1", "user=alice"))
				assert.Equal(t, trace.SpanFromContext(before), trace.SpanFromContext(ctx))
				assert.Equal(t, "user=alice", bagOf(ctx), "the baggage does not depend on the trace")
				var want propagate.Figures
				if tt.in != "" {
					want.Malformed = 1
				}
				assert.Equal(t, want, p.Counters.Figures())
			})
		}
	}
}

func TestExtractNothing(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			p := sampledFirst()
			assert.Equal(t, t.Context(), p.Extract(t.Context(), carrier()))
			assert.Zero(t, p.Counters.Figures())
		})
	}
	for _, carrier := range []propagation.TextMapCarrier{propagation.HeaderCarrier(nil), propagation.MapCarrier(nil)} {
		assert.Equal(t, t.Context(), sampledFirst().Extract(t.Context(), carrier))
	}
}

func TestExtractRepeatedTraceparentIsMalformed(t *testing.T) {
	for name, carrier := range map[string]propagation.TextMapCarrier{
		"header": propagation.HeaderCarrier{"Traceparent": {sampled, sampled}, "Baggage": {"user=alice"}},
		"multi":  multi{"traceparent": {sampled, sampled}, "baggage": {"user=alice"}},
		"empty":  multi{"traceparent": {"", sampled}, "baggage": {"user=alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := sampledFirst()
			ctx := p.Extract(t.Context(), carrier)
			assert.False(t, trace.SpanContextFromContext(ctx).IsValid())
			assert.Equal(t, "user=alice", bagOf(ctx))
			assert.Equal(t, propagate.Figures{Malformed: 1}, p.Counters.Figures())
		})
	}
}

func TestExtractJoinsRepeatedLists(t *testing.T) {
	for name, carrier := range map[string]propagation.TextMapCarrier{
		"header": propagation.HeaderCarrier{
			"Traceparent": {sampled}, "Tracestate": {"a=1", "", "b=2,c=3"}, "Baggage": {"user=alice", "plan=free"},
		},
		"multi": multi{
			"traceparent": {sampled}, "tracestate": {"a=1", "", "b=2,c=3"}, "baggage": {"user=alice", "plan=free"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := sampledFirst().Extract(t.Context(), carrier)
			assert.Equal(t, "a=1,b=2,c=3", trace.SpanContextFromContext(ctx).TraceState().String())
			assert.Equal(t, "alice", baggage.FromContext(ctx).Member("user").Value())
			assert.Equal(t, "free", baggage.FromContext(ctx).Member("plan").Value())
		})
	}
}

func TestExtractInvalidTraceStateLosesOnlyItself(t *testing.T) {
	for _, state := range []string{"a", "A=1", "a=1;b=\x00", strings.Repeat("a=1,", 40)} {
		p := sampledFirst()
		ctx := p.Extract(t.Context(), fill(propagation.MapCarrier{}, sampled, state, "user=alice"))
		want := spanContext(t, trace.FlagsSampled, "").WithRemote(true)
		assert.True(t, want.Equal(trace.SpanContextFromContext(ctx)), state)
		assert.Equal(t, "user=alice", bagOf(ctx))
		assert.Equal(t, propagate.Figures{TraceStateRefused: 1}, p.Counters.Figures(), state)
	}
}

func TestExtractBaggage(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want string
		refused  uint64
		dropped  uint64
	}{
		"valid":            {in: "user=bob", want: "user=bob"},
		"empty":            {in: "", want: "user=alice"},
		"refused":          {in: "no baggage", want: "user=alice", refused: 1},
		"too long":         {in: "a=" + strings.Repeat("b", 8192), want: "user=alice", refused: 1},
		"one member of it": {in: "no baggage,user=bob", want: "user=bob", dropped: 1},
		"the same as ours": {in: "user=alice", want: "user=alice"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sampledFirst()
			before := contextWith(t, trace.SpanContext{}, "user=alice")
			ctx := p.Extract(before, propagation.MapCarrier{"baggage": tt.in})
			assert.Equal(t, tt.want, bagOf(ctx))
			assert.Equal(t, propagate.Figures{BaggageRefused: tt.refused, BaggageDropped: tt.dropped}, p.Counters.Figures())
		})
	}
}

func TestZeroValueWorks(t *testing.T) {
	var p propagate.SampledFirst
	before := propagate.DefaultCounters().Figures().UnsampledCarried
	ctx := p.Extract(t.Context(), propagation.MapCarrier{"traceparent": unsampled})
	assert.True(t, trace.SpanContextFromContext(ctx).IsValid())
	out := propagation.MapCarrier{}
	p.Inject(ctx, out)
	assert.Equal(t, propagation.MapCarrier{"traceparent": unsampled}, out)
	assert.Equal(t, before+2, propagate.DefaultCounters().Figures().UnsampledCarried)
}

func TestFields(t *testing.T) {
	var p propagate.SampledFirst
	fields := p.Fields()
	assert.Equal(t, []string{"traceparent", "tracestate", "baggage"}, fields)
	fields[0] = "changed"
	assert.Equal(t, "traceparent", p.Fields()[0])
}

func TestConcurrentUse(t *testing.T) {
	const workers, rounds = 8, 200
	p := sampledFirst()
	in := propagation.HeaderCarrier{"Traceparent": {unsampled}}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				ctx := p.Extract(t.Context(), in)
				p.Inject(ctx, propagation.MapCarrier{})
				_ = p.Counters.Figures()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, propagate.Figures{UnsampledCarried: 2 * workers * rounds}, p.Counters.Figures())
}
