// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

// largeTrace is a broadcast to 10,000 sessions that were all sampled.
func largeTrace() []sdktrace.ReadOnlySpan {
	const n = 10_000
	spans := []sdktrace.ReadOnlySpan{
		span(1, 0, server, "POST /", 0, 10, in("api")).Snapshot(),
		span(2, 1, producer, "broadcast sessions", 1, 9, in("api"), with(keys.FanoutSize.Int(n), keys.FanoutSampled.Int(n))).Snapshot(),
	}
	for i := range n {
		wait := float64(i)
		spans = append(spans, span(i+3, 2, consumer, "session Create", 1+wait, 2+wait, in("session"),
			of("session", "1", "Create"), queued(wait), weight(1)).Snapshot())
	}
	return spans
}

func BenchmarkExplain(b *testing.B) {
	spans := largeTrace()
	b.ReportAllocs()
	for b.Loop() {
		explain.Explain(spans, nil)
	}
}

func BenchmarkTree(b *testing.B) {
	spans := largeTrace()
	b.ReportAllocs()
	for b.Loop() {
		explain.Tree(spans)
	}
}
