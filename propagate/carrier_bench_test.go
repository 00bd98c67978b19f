// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// lowerHeader is requestHeader as gRPC and NATS spell it.
func lowerHeader(header http.Header) map[string][]string {
	lower := map[string][]string{}
	for key, values := range header {
		lower[string(append([]byte{key[0] | 0x20}, key[1:]...))] = values
	}
	return lower
}

func BenchmarkCarrierPeek(b *testing.B) {
	header := requestHeader(unsampled, longState, longBag)
	lower := lowerHeader(header)
	plain := propagate.MapCarrier(metadata{"traceparent": unsampled, "tracestate": longState, "baggage": longBag})
	for _, tt := range []struct {
		name string
		peek func() decision
	}{
		{"header", func() decision { return peekHeader(header) }},
		{"list", func() decision { return peekHeader(lower) }},
		{"map", func() decision { return peek(plain.Get("traceparent")) }},
		{"http.Header.Get", func() decision { return peek(header.Get("traceparent")) }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkDecision = tt.peek()
			}
			if sinkDecision != saysUnsampled {
				b.Fatal(sinkDecision)
			}
		})
	}
}

type comparedCarrier struct {
	name    string
	carrier func() propagation.TextMapCarrier
}

// compared returns carriers of the same header, and of a list.
func compared(header http.Header, list func() *[]kafkaHeader) []comparedCarrier {
	lower := lowerHeader(header)
	return []comparedCarrier{
		{"otel-header", func() propagation.TextMapCarrier { return propagation.HeaderCarrier(header) }},
		{"header", func() propagation.TextMapCarrier { return propagate.HeaderCarrier(header) }},
		{"list", func() propagation.TextMapCarrier { return propagate.MetadataCarrier(lower) }},
		{"pairs", func() propagation.TextMapCarrier { return kafkaPairs(list()) }},
	}
}

// What this package's carriers cost beside those of package propagation.
func BenchmarkCarrierExtract(b *testing.B) {
	p := sampledFirst()
	kafka := []kafkaHeader{
		{"id", nil}, {"traceparent", []byte(unsampled)}, {"tracestate", []byte(longState)}, {"baggage", []byte(longBag)},
	}
	for _, tt := range compared(requestHeader(unsampled, longState, longBag), func() *[]kafkaHeader { return &kafka }) {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			var last context.Context
			for b.Loop() {
				last = p.Extract(ctx, tt.carrier()) //nolint:fatcontext // Each has the same parent.
			}
			if got := trace.SpanContextFromContext(last); got.TraceID().String() != traceID || got.IsSampled() {
				b.Fatal(got)
			}
		})
	}
}

// The same for what is written, in a header that has other fields too.
func BenchmarkCarrierInject(b *testing.B) {
	ctx := contextWith(b, spanContext(b, 1, longState), longBag)
	p := sampledFirst()
	for _, tt := range compared(requestHeader("", "", ""), func() *[]kafkaHeader { return new([]kafkaHeader) }) {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			var last propagation.TextMapCarrier
			for b.Loop() {
				last = tt.carrier()
				p.Inject(ctx, last)
			}
			if got := last.Get("traceparent"); got != sampled {
				b.Fatal(got)
			}
		})
	}
}
