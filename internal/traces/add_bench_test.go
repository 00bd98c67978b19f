// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traces"
)

// processor is a span processor that does that with each span that ends.
type processor func(sdktrace.ReadOnlySpan)

var _ sdktrace.SpanProcessor = processor(nil)

func (processor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (p processor) OnEnd(s sdktrace.ReadOnlySpan)                 { p(s) }
func (processor) Shutdown(context.Context) error                  { return nil }
func (processor) ForceFlush(context.Context) error                { return nil }

// made returns spans of the SDK, of traces with a root and seven spans below it. Those have the
// attributes of a handling.
func made(tb testing.TB, roots int) (spans []sdktrace.ReadOnlySpan) {
	tb.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(
		processor(func(s sdktrace.ReadOnlySpan) { spans = append(spans, s) })))
	tracer := provider.Tracer("test")
	for range roots {
		ctx, root := tracer.Start(context.Background(), "POST /")
		for range 7 {
			_, span := tracer.Start(ctx, "guild Message", trace.WithAttributes(
				attribute.String("waybill.process.kind", "guild"), attribute.String("waybill.process.id", "14"),
				attribute.String("waybill.message.type", "Message"), attribute.Float64("waybill.queue.duration", 0.001)))
			span.End()
		}
		root.End()
	}
	return spans
}

// BenchmarkAdd adds spans, all of which are taken, or nearly none. How much longer a span of
// the SDK takes with that is in the module bench.
func BenchmarkAdd(b *testing.B) {
	spans := made(b, 500)
	for name, perSecond := range map[string]int{"taken": -1, "dropped": 1} {
		b.Run(name, func(b *testing.B) {
			store := traces.New(traces.Config{Bytes: 1 << 20, PerSecond: perSecond})
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				store.Add(spans[i%len(spans)])
				i++
			}
			totals := store.Totals()
			b.ReportMetric(float64(totals.Dropped)/float64(totals.Seen), "dropped/op")
		})
	}
}
