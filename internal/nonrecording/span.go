// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package nonrecording has the span of a message that came from elsewhere. It records
// nothing; it is not OpenTelemetry's own, which would have the instrumentation that is
// used in a handler record nothing either.
//
// Every provider goes on from it but that of the deprecated
// [trace.NewNoopTracerProvider], which goes on from OpenTelemetry's own type alone;
// package noop's does.
package nonrecording

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// Span is a span that records nothing and has a span context, to which it only refers:
// whoever makes it has reasons of his own to hold that.
type Span struct {
	embedded.Span

	sc *trace.SpanContext
}

// NewSpan returns the span of sc, which must not change any more.
func NewSpan(sc *trace.SpanContext) Span { return Span{sc: sc} }

// SpanContext implements trace.Span.
func (s *Span) SpanContext() trace.SpanContext { return *s.sc }

// TracerProvider implements trace.Span. Instrumentation such as otelhttp's starts
// its spans with the provider of the current one: below a sampled span that is the
// global one, where OpenTelemetry's would have nothing recorded; below any other,
// one whose tracers leave the current span where it is.
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
