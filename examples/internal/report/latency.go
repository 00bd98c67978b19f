// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/sampling/estimate"
)

// Latency is an estimate of the latency of all messages to one kind of processes, from
// the spans of the traced ones.
type Latency struct {
	// All estimates the seconds from the sending of a message to the end of its
	// handling.
	All *estimate.Sample
	// Slow estimates the same for messages whose handling was slow. They are a stratum
	// of their own: every one has left a span, unless there were more of them than
	// there may be late spans.
	Slow *estimate.Sample
	// Spans is the number of spans that the estimate rests on.
	Spans int
}

// latencies collects the spans for [Latency].
type latencies struct {
	kind  string
	spans estimate.Spans
	kept  int
}

// add adds span if it is of a broadcast or of the handling of a message.
func (l *latencies) add(span sdktrace.ReadOnlySpan) {
	o := observe(span)
	if o == nil {
		return
	}
	l.kept++
	l.spans.Add(o)
}

func (l *latencies) latency() Latency {
	ofKind := func(s estimate.Span) (*observed, float64, bool) {
		o, ok := s.(*observed)
		if !ok || o.kind != l.kind {
			return nil, 0, false
		}
		return o, o.end.Sub(o.start).Seconds(), true
	}
	all := l.spans.Select(func(s estimate.Span) (float64, bool) {
		_, took, ok := ofKind(s)
		return took, ok
	}).Handled
	slow := l.spans.Select(func(s estimate.Span) (float64, bool) {
		o, took, ok := ofKind(s)
		return took, ok && o.slow
	}).Handled
	return Latency{All: all, Slow: slow, Spans: all.Tally().Counted}
}

// observed holds what an estimate needs of a span, and nothing else of it.
type observed struct {
	name         string
	self, parent trace.SpanContext
	start, end   time.Time // from the sending of the message
	attrs        []attribute.KeyValue
	links        []trace.Link
	kind         string // of the process that handled the message
	slow         bool
}

var _ estimate.Span = (*observed)(nil)

// Name implements estimate.Span.
func (o *observed) Name() string { return o.name }

// SpanContext implements estimate.Span.
func (o *observed) SpanContext() trace.SpanContext { return o.self }

// Parent implements estimate.Span.
func (o *observed) Parent() trace.SpanContext { return o.parent }

// StartTime implements estimate.Span.
func (o *observed) StartTime() time.Time { return o.start }

// EndTime implements estimate.Span.
func (o *observed) EndTime() time.Time { return o.end }

// Attributes implements estimate.Span.
func (o *observed) Attributes() []attribute.KeyValue { return o.attrs }

// Links returns the links of a root, which lead to the trace that it belongs to.
func (o *observed) Links() []trace.Link { return o.links }

// aboutEstimates are the attributes that an estimate depends on.
var aboutEstimates = []attribute.Key{
	fanoutWeight, fanoutProbability, fanoutSize, fanoutShed,
	fanoutSampled, fanoutBudget, fanoutRefused,
	lateReason, lateProbability,
}

// observe returns nil for a span that is neither a broadcast nor the handling of a message.
func observe(span sdktrace.ReadOnlySpan) *observed {
	o := &observed{
		name: span.Name(), self: span.SpanContext(), parent: span.Parent(), start: span.StartTime(), end: span.EndTime(),
	}
	broadcast := false
	for _, kv := range span.Attributes() {
		switch kv.Key {
		case processKind:
			o.kind = kv.Value.AsString()
		case fanoutSampled:
			broadcast = true
		case queueDuration:
			o.start = o.start.Add(-time.Duration(kv.Value.AsFloat64() * float64(time.Second)))
		case lateReason:
			o.slow = kv.Value.AsString() == "slow"
		}
		if slices.Contains(aboutEstimates, kv.Key) {
			o.attrs = append(o.attrs, kv)
		}
	}
	if !broadcast && o.kind == "" {
		return nil
	}
	if !o.parent.IsValid() {
		for _, l := range span.Links() {
			o.links = append(o.links, trace.Link{SpanContext: l.SpanContext, Attributes: l.Attributes})
		}
	}
	return o
}
