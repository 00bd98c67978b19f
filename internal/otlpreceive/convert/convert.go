// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package convert makes spans of OpenTelemetry's SDK from the spans that OTLP has.
//
// Whoever sent them is not trusted. A span that cannot be shown is rejected, and what is too
// long or out of place in the others is cut or put right.
package convert

import (
	"errors"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// Limits of one span. What is beyond them is left out, and counted as dropped where OTLP has a
// count for it.
const (
	MaxName       = 1 << 10  // bytes of a name, a key, a version or a URL
	MaxText       = 64 << 10 // bytes of a value, or of the description of a status
	MaxAttributes = 256      // of a span, an event, a link, a scope or a resource
	MaxEvents     = 512
	MaxLinks      = 1024
	MaxElements   = 256 // of an array or a map
	MaxNesting    = 8   // of arrays and maps; deeper ones become text

	// MaxAhead is how far the start of a span may be in the future.
	MaxAhead = 24 * time.Hour
)

// maxTraceState is how long a tracestate may be to be read, in bytes. W3C Trace Context asks
// for 512.
const maxTraceState = 8 << 10

// Reasons for which a span is rejected.
var (
	ErrTraceID = errors.New("the trace ID is zero")
	ErrSpanID  = errors.New("the span ID is zero")
	ErrStart   = errors.New("the start time is zero or after the year 2261")
	ErrFuture  = errors.New("the start time is more than 24 hours in the future")
)

// Result is what became of a request.
type Result struct {
	// Spans are the spans that can be shown, in the order of the request. Spans of one resource
	// share it.
	Spans []sdktrace.ReadOnlySpan
	// Mended counts the spans among them that had to be put right: their name or a value was
	// too long or no UTF-8, or they ended before they started.
	Mended int
	// Rejected counts the spans that cannot be shown.
	Rejected int
	// Reason says why the first of these was rejected. It is nil if none was.
	Reason error
}

// Spans converts traces. A span that starts more than [MaxAhead] after now is rejected. If now
// is the zero time, spans may start at any time. The result shares no memory with traces.
func Spans(traces ptrace.Traces, now time.Time) Result {
	var result Result
	latest := time.Time{}
	if !now.IsZero() {
		latest = now.Add(MaxAhead)
	}
	for _, ofResource := range traces.ResourceSpans().All() {
		r := converter{}
		shared := r.resource(ofResource)
		for _, ofScope := range ofResource.ScopeSpans().All() {
			scope := r.scope(ofScope)
			for _, span := range ofScope.Spans().All() {
				c := converter{mended: r.mended}
				if err := check(span, latest); err != nil {
					result.Rejected++
					if result.Reason == nil {
						result.Reason = err
					}
					continue
				}
				stub := c.span(span)
				stub.Resource, stub.InstrumentationScope = shared, scope
				result.Spans = append(result.Spans, stub.Snapshot())
				if c.mended {
					result.Mended++
				}
			}
		}
	}
	return result
}

// check says why a span cannot be shown.
func check(span ptrace.Span, latest time.Time) error {
	start := span.StartTimestamp()
	switch {
	case span.TraceID().IsEmpty():
		return ErrTraceID
	case span.SpanID().IsEmpty():
		return ErrSpanID
	case start == 0 || start > maxTimestamp:
		return ErrStart
	case !latest.IsZero() && start.AsTime().After(latest):
		return ErrFuture
	}
	return nil
}

// maxTimestamp leaves a year to the end of what a time.Duration since 1970 can hold.
const maxTimestamp = pcommon.Timestamp(math.MaxInt64 - 365*24*time.Hour)

// converter converts one span, and remembers whether it had to put anything right.
type converter struct{ mended bool }

func (c *converter) span(span ptrace.Span) tracetest.SpanStub {
	start := span.StartTimestamp()
	end := span.EndTimestamp()
	if end < start || end > maxTimestamp {
		end = start
		c.mended = true
	}
	attributes, dropped := c.attributes(span.Attributes())
	own := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID(span.TraceID()),
		SpanID:     trace.SpanID(span.SpanID()),
		TraceFlags: flags(span.Flags()) | trace.FlagsSampled, // Old exporters send no flags.
		TraceState: c.traceState(span.TraceState().AsRaw()),
	})
	stub := tracetest.SpanStub{
		Name:              c.text(span.Name(), MaxName),
		SpanContext:       own,
		SpanKind:          kind(span.Kind()),
		StartTime:         start.AsTime(),
		EndTime:           end.AsTime(),
		Attributes:        attributes,
		DroppedAttributes: dropped + int(span.DroppedAttributesCount()),
		Status: sdktrace.Status{
			Code:        statusCode(span.Status().Code()),
			Description: c.text(span.Status().Message(), MaxText),
		},
	}
	if !span.ParentSpanID().IsEmpty() {
		stub.Parent = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: own.TraceID(), SpanID: trace.SpanID(span.ParentSpanID()),
			TraceFlags: own.TraceFlags(), Remote: remote(span.Flags()),
		})
	}
	stub.Events, dropped = c.events(span.Events(), start, end)
	stub.DroppedEvents = dropped + int(span.DroppedEventsCount())
	stub.Links, dropped = c.links(span.Links())
	stub.DroppedLinks = dropped + int(span.DroppedLinksCount())
	return stub
}

// events returns the events, and how many are left out. An event that has no time has that of
// the start, and an event after the end of time has that of the end.
func (c *converter) events(from ptrace.SpanEventSlice, start, end pcommon.Timestamp) (events []sdktrace.Event, dropped int) {
	for i, event := range from.All() {
		if i == MaxEvents {
			return events, from.Len() - i
		}
		at := event.Timestamp()
		if at == 0 {
			at = start
		} else if at > maxTimestamp {
			at = end
		}
		attributes, dropped := c.attributes(event.Attributes())
		events = append(events, sdktrace.Event{
			Name:                  c.text(event.Name(), MaxName),
			Time:                  at.AsTime(),
			Attributes:            attributes,
			DroppedAttributeCount: dropped + int(event.DroppedAttributesCount()),
		})
	}
	return events, 0
}

// links returns the links, and how many are left out. A link to nothing is one of these.
func (c *converter) links(from ptrace.SpanLinkSlice) (links []sdktrace.Link, dropped int) {
	for i, link := range from.All() {
		if len(links) == MaxLinks {
			return links, dropped + from.Len() - i
		}
		if link.TraceID().IsEmpty() || link.SpanID().IsEmpty() {
			dropped++
			continue
		}
		attributes, left := c.attributes(link.Attributes())
		links = append(links, sdktrace.Link{
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
				TraceID:    trace.TraceID(link.TraceID()),
				SpanID:     trace.SpanID(link.SpanID()),
				TraceFlags: flags(link.Flags()),
				TraceState: c.traceState(link.TraceState().AsRaw()),
				Remote:     remote(link.Flags()),
			}),
			Attributes:            attributes,
			DroppedAttributeCount: left + int(link.DroppedAttributesCount()),
		})
	}
	return links, dropped
}

func (c *converter) resource(from ptrace.ResourceSpans) *resource.Resource {
	attributes, _ := c.attributes(from.Resource().Attributes())
	return resource.NewWithAttributes(c.text(from.SchemaUrl(), MaxName), attributes...)
}

func (c *converter) scope(from ptrace.ScopeSpans) instrumentation.Scope {
	attributes, _ := c.attributes(from.Scope().Attributes())
	return instrumentation.Scope{
		Name:       c.text(from.Scope().Name(), MaxName),
		Version:    c.text(from.Scope().Version(), MaxName),
		SchemaURL:  c.text(from.SchemaUrl(), MaxName),
		Attributes: attribute.NewSet(attributes...),
	}
}

// traceState returns the tracestate that s is, or an empty one if it is malformed.
func (c *converter) traceState(s string) trace.TraceState {
	if s == "" {
		return trace.TraceState{}
	}
	if len(s) <= maxTraceState {
		if state, err := trace.ParseTraceState(strings.Clone(s)); err == nil {
			return state
		}
	}
	c.mended = true
	return trace.TraceState{}
}

// text returns s as UTF-8 of at most limit bytes. A text that was cut ends with an ellipsis.
func (c *converter) text(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	c.mended = true
	return cut(strings.ToValidUTF8(cut(s, limit), "\uFFFD"), limit)
}

// cut returns s, or a copy of its beginning that has at most limit bytes with the ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for end > 0 && limit-end < utf8.UTFMax+len(ellipsis) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// Bits of the flags of a span or a link in OTLP. The lower eight are the W3C flags. The others
// say whether it is known if the parent, or the linked span, is remote, and if it is.
const (
	flagsW3C      = 0xFF
	flagsRemoteIs = 0x200
)

func flags(f uint32) trace.TraceFlags { return trace.TraceFlags(f & flagsW3C) }

func remote(f uint32) bool { return f&flagsRemoteIs != 0 }

// kind returns the SDK's kind. The zero value of both means that it is not specified.
func kind(k ptrace.SpanKind) trace.SpanKind {
	switch k {
	case ptrace.SpanKindInternal:
		return trace.SpanKindInternal
	case ptrace.SpanKindServer:
		return trace.SpanKindServer
	case ptrace.SpanKindClient:
		return trace.SpanKindClient
	case ptrace.SpanKindProducer:
		return trace.SpanKindProducer
	case ptrace.SpanKindConsumer:
		return trace.SpanKindConsumer
	case ptrace.SpanKindUnspecified:
	}
	return trace.SpanKindUnspecified
}

func statusCode(code ptrace.StatusCode) codes.Code {
	switch code {
	case ptrace.StatusCodeOk:
		return codes.Ok
	case ptrace.StatusCodeError:
		return codes.Error
	case ptrace.StatusCodeUnset:
	}
	return codes.Unset
}
