// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

var (
	sinkDecision decision
	sinkSpan     trace.SpanContext
)

func TestAllocations(t *testing.T) {
	header := http.Header{"Traceparent": {unsampled}, "Tracestate": {"a=1"}, "Baggage": {"user=alice"}, "Accept": {"*/*"}}
	plain := propagation.MapCarrier{"traceparent": unsampled, "tracestate": "a=1", "baggage": "user=alice"}
	one := []string{unsampled}
	bare := propagation.HeaderCarrier{"Accept": {"*/*"}}
	out, outPlain := propagation.HeaderCarrier{}, propagation.MapCarrier{}
	state := http.Header{"Traceparent": {sampled}, "Tracestate": {"vendor=t61rcWkgMzE,ot=th:8"}}
	mixed := http.Header{"Traceparent": {sampled}, "Tracestate": {mixedState}}
	standard := propagate.TraceContext{}
	var outBytes propagation.TextMapCarrier = onlyBytes{inBytes{}, t}
	for range 3 { // A tracestate is kept when it comes for the second time.
		_ = standard.Extract(t.Context(), propagation.HeaderCarrier(state))
		_ = standard.Extract(t.Context(), propagation.HeaderCarrier(mixed))
	}
	carry, drop := sampledFirst(), dropUnsampled()
	background, ctx := t.Context(), contextWith(t, spanContext(t, 0, ""), "")
	withState := contextWith(t, spanContext(t, 1, "a=1"), "")
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"peek", 0, func() { sinkDecision = peek(unsampled) }},
		{"peek, malformed", 0, func() { sinkDecision = peek(unsampled + " ") }},
		{"peek into a header", 0, func() { sinkDecision = peekHeader(header) }},
		{"peek into metadata", 0, func() { sinkDecision = peekHeader(multi{"traceparent": one}) }},
		{"parse", 0, func() { sinkSpan, _ = propagate.ParseTraceparent(sampled) }},
		{"extract, carried", 2, func() { _ = carry.Extract(background, propagation.HeaderCarrier(header)) }},
		{"extract, dropped", 0, func() { _ = drop.Extract(background, propagation.HeaderCarrier(header)) }},
		{"extract from a map, carried", 2, func() { _ = carry.Extract(background, plain) }},
		{"extract from a map, dropped", 0, func() { _ = drop.Extract(background, plain) }},
		{"extract nothing", 0, func() { _ = carry.Extract(background, bare) }},
		{"extract, with a tracestate", 2, func() { _ = carry.Extract(background, propagation.HeaderCarrier(state)) }},
		{"standard, extract", 2, func() { _ = standard.Extract(background, propagation.HeaderCarrier(header)) }},
		{"standard, extract, with a tracestate", 2, func() { _ = standard.Extract(background, propagation.HeaderCarrier(state)) }},
		{"standard, extract, with members beside it", 4, func() { _ = standard.Extract(background, propagation.HeaderCarrier(mixed)) }},
		{"standard, inject", 2, func() { standard.Inject(ctx, out) }},
		{"standard, inject, with a tracestate", 4, func() { standard.Inject(withState, out) }},
		{"standard, inject into a map, with a tracestate", 2, func() { standard.Inject(withState, outPlain) }},
		{"standard, inject bytes", 1, func() { standard.Inject(ctx, outBytes) }},
		{"standard, inject nothing", 0, func() { standard.Inject(background, out) }},
		{"inject, carried", 2, func() { carry.Inject(ctx, out) }},
		{"inject into a map, carried", 1, func() { carry.Inject(ctx, outPlain) }},
		{"inject, dropped", 0, func() { drop.Inject(ctx, out) }},
		{"inject nothing", 0, func() { carry.Inject(background, out) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.InDelta(t, tt.want, testing.AllocsPerRun(100, tt.f), 0)
		})
	}
}
