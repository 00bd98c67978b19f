// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package nonrecording has the span of a message that came from elsewhere. The span
// records nothing. OpenTelemetry has such a span too, but below that one the
// instrumentation that a handler uses would record nothing either.
//
// Every provider makes children of this span, except the one of the deprecated
// [trace.NewNoopTracerProvider], which knows OpenTelemetry's own type only. The
// provider of package noop does.
package nonrecording

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// Span is a span that records nothing. It holds a pointer to its span context, because
// whoever makes it holds the span context anyway.
type Span struct {
	embedded.Span

	sc *trace.SpanContext
}

// NewSpan returns a span with the span context sc, which must not be changed
// afterwards.
func NewSpan(sc *trace.SpanContext) Span { return Span{sc: sc} }

// SpanContext implements trace.Span.
func (s *Span) SpanContext() trace.SpanContext { return *s.sc }

// TracerProvider implements trace.Span. Instrumentation such as otelhttp takes the
// provider of the current span. If this span is sampled, that is the global provider;
// OpenTelemetry's own span has a provider that records nothing. If it is not sampled,
// it is a provider whose tracers leave the current span where it is.
func (s *Span) TracerProvider() trace.TracerProvider {
	if s.sc.IsSampled() {
		return otel.GetTracerProvider()
	}
	return noop.NewTracerProvider()
}

// IsRecording implements trace.Span.
func (*Span) IsRecording() bool { return false }

// End implements trace.Span.
func (*Span) End(...trace.SpanEndOption) {}

// AddEvent implements trace.Span.
func (*Span) AddEvent(string, ...trace.EventOption) {}

// AddLink implements trace.Span.
func (*Span) AddLink(trace.Link) {}

// RecordError implements trace.Span.
func (*Span) RecordError(error, ...trace.EventOption) {}

// SetStatus implements trace.Span.
func (*Span) SetStatus(codes.Code, string) {}

// SetName implements trace.Span.
func (*Span) SetName(string) {}

// SetAttributes implements trace.Span.
func (*Span) SetAttributes(...attribute.KeyValue) {}
