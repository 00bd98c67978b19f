// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracing is what the sender's context holds.
type tracing int

const (
	untraced  tracing = iota // nothing
	unsampled                // an unsampled trace that came from outside
	sampled                  // a sampled span of the same provider
)

// telemetry is a real SDK and the context of a sender. The SDK samples all spans and
// discards them when they have ended. Ours and naive use the same SDK.
type telemetry struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	ctx      context.Context //nolint:containedctx // All senders of a variant begin with it.
	spans    discard
}

// newTelemetryWith returns a telemetry with the sampler s, whose sender has no trace.
func newTelemetryWith(s sdktrace.Sampler) *telemetry {
	t := &telemetry{ctx: context.Background()}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(s),
		sdktrace.WithResource(resource.Empty()),
		sdktrace.WithSpanProcessor(&t.spans),
	)
	t.tracer = t.provider.Tracer("bench")
	return t
}

func newTelemetry(t tracing) *telemetry {
	s := newTelemetryWith(sdktrace.AlwaysSample())
	switch t {
	case untraced:
	case unsampled:
		s.ctx = trace.ContextWithRemoteSpanContext(s.ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true,
		}))
	case sampled:
		s.ctx, _ = s.tracer.Start(s.ctx, "sender") //nolint:spancheck // It never ends, so it is never counted.
	}
	return s
}

// ended returns the number of spans that have ended so far.
func (s *telemetry) ended() int { return int(s.spans.ended.Load()) }

// carrier carries the trace in the naive variants, as OpenTelemetry's documentation
// shows it for a message without headers.
type carrier = propagation.MapCarrier

// inject puts the sender's trace into a new carrier.
func (s *telemetry) inject() carrier {
	c := carrier{}
	propagation.TraceContext{}.Inject(s.ctx, c)
	return c
}

// receive starts the span of a handling below the span that the carrier holds. The
// caller ends it.
func (s *telemetry) receive(c carrier) trace.Span {
	ctx := propagation.TraceContext{}.Extract(context.Background(), c)
	_, span := s.tracer.Start( //nolint:spancheck // As said above.
		ctx, "handle message", trace.WithSpanKind(trace.SpanKindConsumer))
	return span //nolint:spancheck // As said above.
}

// discard is a span processor that counts spans and keeps none.
type discard struct{ ended atomic.Int64 }

var _ sdktrace.SpanProcessor = (*discard)(nil)

func (*discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (d *discard) OnEnd(sdktrace.ReadOnlySpan)                   { d.ended.Add(1) }
func (*discard) Shutdown(context.Context) error                  { return nil }
func (*discard) ForceFlush(context.Context) error                { return nil }
