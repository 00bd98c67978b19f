// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/internal/forced"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/keys"
)

var renewalLink = []attribute.KeyValue{keys.LinkReason.String("renewal")}

// RenewSpans returns a provider whose spans do not last longer than every. It is for the
// instrumentation of gRPC, whose span of a stream lasts as long as the stream, and is not
// exported before:
//
//	otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(grpcstream.RenewSpans(provider, time.Hour)))
//
// When a span has lasted that long, it ends, and a new one begins in its place: the root of
// a new trace, with a link to the span before it (waybill.link.reason is "renewal"), and
// with its name, its kind and the attributes that it was started with. What is done to the
// span from then on is done to the new one, and spans that are started below it are in the
// new trace. Its status is that of the last span. Spans that are not recorded are left
// alone. So are those that end earlier, apart from a timer for each.
//
// A new span is sampled as other roots are: by its trace ID, of which the half stays that
// samplers look at. Inside the wrapper of package sampling/sampler it is always sampled.
//
// If every is not positive, the result is provider. Any number of goroutines may use it.
func RenewSpans(provider trace.TracerProvider, every time.Duration) trace.TracerProvider {
	if every <= 0 {
		return provider
	}
	return renewingProvider{provider, every}
}

// renewingProvider and renewingTracer pass on what a later API adds.
type renewingProvider struct {
	trace.TracerProvider

	every time.Duration
}

func (p renewingProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return renewingTracer{p.TracerProvider.Tracer(name, opts...), p.every}
}

type renewingTracer struct {
	trace.Tracer

	every time.Duration
}

func (t renewingTracer) Start(
	ctx context.Context, name string, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	below, span := t.Tracer.Start(ctx, name, opts...)
	if !span.IsRecording() {
		return below, span
	}
	config := trace.NewSpanStartConfig(opts...)
	s := &renewingSpan{
		tracer: t.Tracer, every: t.every, span: span, name: name,
		ctx:  context.WithoutCancel(ctx),
		opts: []trace.SpanStartOption{trace.WithSpanKind(config.SpanKind()), trace.WithAttributes(config.Attributes()...)},
	}
	s.changing.Lock() // The timer may be done before it is stored.
	defer s.changing.Unlock()
	s.timer = time.AfterFunc(t.every, s.renew)
	return trace.ContextWithSpan(below, s), s
}

// renewingSpan is a span that stands for one span after the other.
type renewingSpan struct {
	embedded.Span

	tracer trace.Tracer
	every  time.Duration
	ctx    context.Context //nolint:containedctx // For the spans to come.
	opts   []trace.SpanStartOption

	changing sync.Mutex // Held while one span takes the place of another, and at the end.
	timer    *time.Timer
	ended    bool

	mu   sync.RWMutex // Held for reading while something is done to the span.
	span trace.Span
	name string
}

var _ trace.Span = (*renewingSpan)(nil)

// renew puts a new span in the place of the one that has lasted long enough. The new one
// begins before the other one ends, so that nothing is done to a span that has ended.
func (s *renewingSpan) renew() {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.ended {
		return
	}
	s.timer.Reset(s.every)
	s.mu.RLock()
	old, name := s.span, s.name
	s.mu.RUnlock()
	sc := old.SpanContext()
	ctx := forced.NextTrace(s.ctx, sc)
	_, next := guard.Start(ctx, s.tracer, name, append(slices.Clip(s.opts),
		trace.WithLinks(trace.Link{SpanContext: sc, Attributes: renewalLink}))...)
	if next == nil {
		return
	}
	s.mu.Lock()
	s.span = next
	s.mu.Unlock()
	guard.Do(func() { old.End() })
}

// End implements trace.Span. It ends the last span.
func (s *renewingSpan) End(opts ...trace.SpanEndOption) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.ended = true
	s.timer.Stop()
	s.span.End(opts...)
}

// with calls f with the span of now.
func (s *renewingSpan) with(f func(trace.Span)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.span)
}

// AddEvent implements trace.Span.
func (s *renewingSpan) AddEvent(name string, opts ...trace.EventOption) {
	s.with(func(span trace.Span) { span.AddEvent(name, opts...) })
}

// AddLink implements trace.Span.
func (s *renewingSpan) AddLink(link trace.Link) {
	s.with(func(span trace.Span) { span.AddLink(link) })
}

// IsRecording implements trace.Span.
func (s *renewingSpan) IsRecording() (recording bool) {
	s.with(func(span trace.Span) { recording = span.IsRecording() })
	return recording
}

// RecordError implements trace.Span.
func (s *renewingSpan) RecordError(err error, opts ...trace.EventOption) {
	s.with(func(span trace.Span) { span.RecordError(err, opts...) })
}

// SpanContext implements trace.Span. It returns that of the span of now.
func (s *renewingSpan) SpanContext() (sc trace.SpanContext) {
	s.with(func(span trace.Span) { sc = span.SpanContext() })
	return sc
}

// SetStatus implements trace.Span.
func (s *renewingSpan) SetStatus(code codes.Code, description string) {
	s.with(func(span trace.Span) { span.SetStatus(code, description) })
}

// SetName implements trace.Span. The spans to come have the name too.
func (s *renewingSpan) SetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
	s.span.SetName(name)
}

// SetAttributes implements trace.Span.
func (s *renewingSpan) SetAttributes(attrs ...attribute.KeyValue) {
	s.with(func(span trace.Span) { span.SetAttributes(attrs...) })
}

// TracerProvider implements trace.Span. Its spans are not renewed.
func (s *renewingSpan) TracerProvider() (provider trace.TracerProvider) {
	s.with(func(span trace.Span) { provider = span.TracerProvider() })
	return provider
}
