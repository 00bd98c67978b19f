// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlptest

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is a span as it was received, in the types of the OTel API.
type Span struct {
	Service    string // service.name of its resource, empty if there is none
	Scope      string // name of its instrumentation scope
	Name       string
	Kind       trace.SpanKind
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	ParentID   trace.SpanID // zero for a root
	TraceState string
	Start, End time.Time
	Attributes map[string]any // string, bool, int64, float64, []byte, []any or map[string]any
	Status     Status
	Events     []Event
	Links      []Link
}

// Status is the status of a span.
type Status struct {
	Code    codes.Code
	Message string
}

// Event is an event of a span.
type Event struct {
	Name       string
	Time       time.Time
	Attributes map[string]any
}

// Link is a link from one span to another.
type Link struct {
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	TraceState string
	Attributes map[string]any
}

// Root reports whether the span has no parent.
func (s Span) Root() bool { return !s.ParentID.IsValid() }

// Duration returns how long the span lasted.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

var errID = errors.New("invalid ID")

func decode(resources []*tracepb.ResourceSpans) ([]Span, error) {
	var all []Span
	for _, resource := range resources {
		service, _ := attributes(resource.GetResource().GetAttributes())["service.name"].(string)
		for _, scope := range resource.GetScopeSpans() {
			for _, pb := range scope.GetSpans() {
				s, err := decodeSpan(pb)
				if err != nil {
					return nil, fmt.Errorf("span %q: %w", pb.GetName(), err)
				}
				s.Service, s.Scope = service, scope.GetScope().GetName()
				all = append(all, s)
			}
		}
	}
	return all, nil
}

func decodeSpan(pb *tracepb.Span) (s Span, err error) {
	s = Span{
		Name:       pb.GetName(),
		Kind:       trace.SpanKind(pb.GetKind()), // The numbers are the same.
		TraceState: pb.GetTraceState(),
		Start:      timeOf(pb.GetStartTimeUnixNano()),
		End:        timeOf(pb.GetEndTimeUnixNano()),
		Attributes: attributes(pb.GetAttributes()),
		Status:     Status{statusCode(pb.GetStatus().GetCode()), pb.GetStatus().GetMessage()},
	}
	if s.TraceID, s.SpanID, err = ids(pb.GetTraceId(), pb.GetSpanId()); err != nil {
		return s, err
	}
	if parent := pb.GetParentSpanId(); len(parent) > 0 {
		if _, s.ParentID, err = ids(pb.GetTraceId(), parent); err != nil {
			return s, fmt.Errorf("parent: %w", err)
		}
	}
	for _, e := range pb.GetEvents() {
		s.Events = append(s.Events, Event{e.GetName(), timeOf(e.GetTimeUnixNano()), attributes(e.GetAttributes())})
	}
	for _, l := range pb.GetLinks() {
		link := Link{TraceState: l.GetTraceState(), Attributes: attributes(l.GetAttributes())}
		if link.TraceID, link.SpanID, err = ids(l.GetTraceId(), l.GetSpanId()); err != nil {
			return s, fmt.Errorf("link: %w", err)
		}
		s.Links = append(s.Links, link)
	}
	return s, nil
}

// ids checks that the IDs have 16 and 8 bytes and are not all zero, as the
// specification demands.
func ids(traceID, spanID []byte) (t trace.TraceID, s trace.SpanID, err error) {
	if len(traceID) != len(t) || len(spanID) != len(s) {
		return t, s, fmt.Errorf("%w: %x-%x", errID, traceID, spanID)
	}
	t, s = trace.TraceID(traceID), trace.SpanID(spanID)
	if !t.IsValid() || !s.IsValid() {
		return t, s, fmt.Errorf("%w: %s-%s", errID, t, s)
	}
	return t, s, nil
}

func timeOf(unixNano uint64) time.Time {
	return time.Unix(0, int64(unixNano)) //nolint:gosec // Good until the year 2262.
}

func statusCode(code tracepb.Status_StatusCode) codes.Code {
	switch code {
	case tracepb.Status_STATUS_CODE_OK:
		return codes.Ok
	case tracepb.Status_STATUS_CODE_ERROR:
		return codes.Error
	default:
		return codes.Unset
	}
}

func attributes(list []*commonpb.KeyValue) map[string]any {
	m := make(map[string]any, len(list))
	for _, kv := range list {
		m[kv.GetKey()] = value(kv.GetValue())
	}
	return m
}

func value(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		list := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, element := range v.ArrayValue.GetValues() {
			list = append(list, value(element))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return attributes(v.KvlistValue.GetValues())
	default:
		return nil
	}
}
