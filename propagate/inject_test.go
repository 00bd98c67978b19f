// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const stale = "00-11111111111111111111111111111111-2222222222222222-01"

// written lists what a carrier would send; an empty value says nothing.
func written(c propagation.TextMapCarrier) map[string]string {
	got := map[string]string{}
	for _, key := range []string{"traceparent", "tracestate", "baggage"} {
		if value := c.Get(key); value != "" {
			got[key] = value
		}
	}
	return got
}

func TestInjectReplacesWhatWasThere(t *testing.T) {
	for name, tt := range map[string]struct {
		sc   trace.SpanContext
		bag  string
		drop bool
		want map[string]string
	}{
		"nothing": {want: map[string]string{}},
		"baggage": {bag: "user=alice", want: map[string]string{"baggage": "user=alice"}},
		"sampled": {
			sc: spanContext(t, trace.FlagsSampled, "a=1,b=2"), bag: "user=alice",
			want: map[string]string{"traceparent": sampled, "tracestate": "a=1,b=2", "baggage": "user=alice"},
		},
		"sampled, bare": {
			sc: spanContext(t, trace.FlagsSampled, ""), want: map[string]string{"traceparent": sampled},
		},
		"unsampled": {
			sc: spanContext(t, 0, "a=1"), bag: "user=alice", want: map[string]string{"traceparent": unsampled},
		},
		"unsampled, dropped": {
			sc: spanContext(t, 0, "a=1"), bag: "user=alice",
			drop: true, want: map[string]string{},
		},
		"sampled, not dropped": {
			sc: spanContext(t, trace.FlagsSampled, ""), bag: "user=alice",
			drop: true,
			want: map[string]string{"traceparent": sampled, "baggage": "user=alice"},
		},
		"unknown flags": {
			sc: spanContext(t, 0xff, ""), want: map[string]string{"traceparent": sampled[:53] + "03"},
		},
	} {
		for kind, carrier := range carriers {
			t.Run(name+"/"+kind, func(t *testing.T) {
				p := propagate.SampledFirst{DropUnsampled: tt.drop}
				clean, used := carrier(), fill(carrier(), stale, "stale=1", "stale=yes")
				for _, c := range []propagation.TextMapCarrier{clean, used} {
					c.Set("other", "kept")
					p.Inject(contextWith(t, tt.sc, tt.bag), c)
					assert.Equal(t, tt.want, written(c))
					assert.Equal(t, "kept", c.Get("other"))
				}
				keys := clean.Keys()
				assert.Len(t, keys, len(tt.want)+1, "a clean carrier gets no empty values")
				if kind != "getter" { // It has no way to delete.
					assert.ElementsMatch(t, keys, used.Keys())
				}
			})
		}
	}
}

func TestInjectCounts(t *testing.T) {
	ctx := contextWith(t, spanContext(t, 0, ""), "")
	carry, drop := sampledFirst(), dropUnsampled()
	for _, p := range []propagate.SampledFirst{carry, drop} {
		p.Inject(ctx, propagation.MapCarrier{})
		p.Inject(t.Context(), propagation.MapCarrier{})
		p.Inject(contextWith(t, spanContext(t, 1, ""), ""), propagation.MapCarrier{})
	}
	assert.Equal(t, propagate.Figures{UnsampledCarried: 1}, carry.Counters.Figures())
	assert.Equal(t, propagate.Figures{UnsampledDropped: 1}, drop.Counters.Figures())
}

// A key in the other spelling would reach the wire beside ours.
func TestInjectRemovesEitherSpelling(t *testing.T) {
	header := map[string][]string{"Accept": {"x"}}
	plain := map[string]string{"Accept": "x"}
	for _, key := range []string{"traceparent", "Traceparent", "tracestate", "Tracestate", "baggage", "Baggage"} {
		header[key], plain[key] = []string{stale, stale}, stale
	}
	for name, ctx := range map[string]struct {
		sc   trace.SpanContext
		want []string
	}{
		"sampled": {spanContext(t, trace.FlagsSampled, ""), []string{"Accept", "Traceparent"}},
		"nothing": {trace.SpanContext{}, []string{"Accept"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []propagation.TextMapCarrier{
				propagation.HeaderCarrier(maps.Clone(header)),
				propagation.MapCarrier(maps.Clone(plain)),
				multi(maps.Clone(header)),
			} {
				sampledFirst().Inject(contextWith(t, ctx.sc, ""), c)
				var got []string
				for _, key := range c.Keys() {
					got = append(got, http.CanonicalHeaderKey(key))
				}
				slices.Sort(got)
				assert.Equal(t, ctx.want, got, "%T", c)
			}
		})
	}
}

// A header may share its values with another one, as after a shallow copy.
func TestInjectLeavesSharedValuesAlone(t *testing.T) {
	shared := []string{stale}
	c := propagation.HeaderCarrier{"Traceparent": shared}
	sampledFirst().Inject(contextWith(t, spanContext(t, 1, ""), ""), c)
	assert.Equal(t, sampled, c.Get("traceparent"))
	assert.Equal(t, []string{stale}, shared)
}

func TestRoundTrip(t *testing.T) {
	for name, carrier := range carriers {
		for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled, trace.FlagsRandom, trace.FlagsSampled | trace.FlagsRandom} {
			t.Run(name+"/"+flags.String(), func(t *testing.T) {
				state, bag := "", ""
				if flags.IsSampled() {
					state, bag = "a=1,b=2", "user=alice"
				}
				sc := spanContext(t, flags, state)
				p, c := sampledFirst(), carrier()
				p.Inject(contextWith(t, sc, bag), c)
				ctx := p.Extract(t.Context(), c)
				assert.True(t, sc.WithRemote(true).Equal(trace.SpanContextFromContext(ctx)))
				assert.Equal(t, bag, bagOf(ctx))

				// OTel's own propagators read what ours wrote, and the reverse.
				oracle := otelPropagator.Extract(t.Context(), c)
				assert.True(t, sc.WithRemote(true).Equal(trace.SpanContextFromContext(oracle)))
				assert.Equal(t, bag, bagOf(oracle))
				c = carrier()
				otelPropagator.Inject(contextWith(t, sc, bag), c)
				ctx = p.Extract(t.Context(), c)
				assert.True(t, sc.WithRemote(true).Equal(trace.SpanContextFromContext(ctx)))
				assert.Equal(t, bag, bagOf(ctx))
			})
		}
	}
}

// onlyBytes is a carrier that must not be given strings.
type onlyBytes struct {
	inBytes

	t *testing.T
}

func (c onlyBytes) Set(key, _ string) { assert.Fail(c.t, "written as a string first", key) }
func (c onlyBytes) Delete(key string) { delete(c.inBytes, key) }

func TestInjectWritesBytesWhereTheCarrierHasThem(t *testing.T) {
	standard, _ := counting()
	for name, p := range map[string]propagation.TextMapPropagator{"standard": standard, "first": sampledFirst()} {
		t.Run(name, func(t *testing.T) {
			c := onlyBytes{inBytes{"tracestate": []byte("stale=1"), "traceparent": []byte(stale)}, t}
			p.Inject(contextWith(t, spanContext(t, 1, "a=1,b=2"), ""), c)
			assert.Equal(t, inBytes{"traceparent": []byte(sampled), "tracestate": []byte("a=1,b=2")}, c.inBytes)

			ctx := standard.Extract(t.Context(), propagation.MapCarrier{"traceparent": sampled, "tracestate": mixedState})
			p.Inject(ctx, c)
			assert.Equal(t, mixedState, string(c.inBytes["tracestate"]))

			p.Inject(contextWith(t, spanContext(t, 0, ""), ""), c)
			assert.Equal(t, inBytes{"traceparent": []byte(unsampled)}, c.inBytes)
			p.Inject(t.Context(), c)
			assert.Empty(t, c.inBytes)
		})
	}
}
