// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpjson

import (
	"encoding/hex"
	"math"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The messages of the protocol, with the names that its JSON form has. IDs are in
// hexadecimal, and integers of 64 bits in quotes.
type (
	resourceJSON struct {
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	scopeJSON struct {
		Name       string     `json:"name,omitempty"`
		Version    string     `json:"version,omitempty"`
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	spanJSON struct {
		TraceID           string      `json:"traceId"`
		SpanID            string      `json:"spanId"`
		TraceState        string      `json:"traceState,omitempty"`
		ParentSpanID      string      `json:"parentSpanId,omitempty"`
		Flags             uint32      `json:"flags,omitempty"`
		Name              string      `json:"name"`
		Kind              int         `json:"kind"`
		Start             uint64      `json:"startTimeUnixNano,string"`
		End               uint64      `json:"endTimeUnixNano,string"`
		Attributes        []keyValue  `json:"attributes,omitempty"`
		DroppedAttributes uint32      `json:"droppedAttributesCount,omitempty"`
		Events            []eventJSON `json:"events,omitempty"`
		DroppedEvents     uint32      `json:"droppedEventsCount,omitempty"`
		Links             []linkJSON  `json:"links,omitempty"`
		DroppedLinks      uint32      `json:"droppedLinksCount,omitempty"`
		Status            statusJSON  `json:"status"`
	}
	eventJSON struct {
		Time              uint64     `json:"timeUnixNano,string"`
		Name              string     `json:"name"`
		Attributes        []keyValue `json:"attributes,omitempty"`
		DroppedAttributes uint32     `json:"droppedAttributesCount,omitempty"`
	}
	linkJSON struct {
		TraceID           string     `json:"traceId"`
		SpanID            string     `json:"spanId"`
		TraceState        string     `json:"traceState,omitempty"`
		Attributes        []keyValue `json:"attributes,omitempty"`
		DroppedAttributes uint32     `json:"droppedAttributesCount,omitempty"`
		Flags             uint32     `json:"flags,omitempty"`
	}
	statusJSON struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code,omitempty"`
	}
)

func resourceOf(r *resource.Resource) resourceJSON {
	return resourceJSON{Attributes: keyValues(r.Attributes())}
}

func scopeOf(s *instrumentation.Scope) scopeJSON {
	return scopeJSON{Name: s.Name, Version: s.Version, Attributes: keyValues(s.Attributes.ToSlice())}
}

func spanOf(span sdktrace.ReadOnlySpan) spanJSON {
	sc, parent, status := span.SpanContext(), span.Parent(), span.Status()
	s := spanJSON{
		TraceID:           idOf(sc.TraceID()),
		SpanID:            spanIDOf(sc.SpanID()),
		TraceState:        sc.TraceState().String(),
		Flags:             flagsOf(sc.TraceFlags(), parent.IsRemote()),
		Name:              span.Name(),
		Kind:              kindOf(span.SpanKind()),
		Start:             nanos(span.StartTime()),
		End:               nanos(span.EndTime()),
		Attributes:        keyValues(span.Attributes()),
		DroppedAttributes: number(span.DroppedAttributes()),
		DroppedEvents:     number(span.DroppedEvents()),
		DroppedLinks:      number(span.DroppedLinks()),
		Status:            statusJSON{Message: status.Description, Code: codeOf(status.Code)},
	}
	if parent.SpanID().IsValid() {
		s.ParentSpanID = spanIDOf(parent.SpanID())
	}
	for _, e := range span.Events() {
		s.Events = append(s.Events, eventJSON{
			Time: nanos(e.Time), Name: e.Name,
			Attributes: keyValues(e.Attributes), DroppedAttributes: number(e.DroppedAttributeCount),
		})
	}
	for _, l := range span.Links() {
		to := l.SpanContext
		s.Links = append(s.Links, linkJSON{
			TraceID: idOf(to.TraceID()), SpanID: spanIDOf(to.SpanID()), TraceState: to.TraceState().String(),
			Attributes: keyValues(l.Attributes), DroppedAttributes: number(l.DroppedAttributeCount),
			Flags: flagsOf(to.TraceFlags(), to.IsRemote()),
		})
	}
	return s
}

func idOf(id trace.TraceID) string { return hex.EncodeToString(id[:]) }

func spanIDOf(id trace.SpanID) string { return hex.EncodeToString(id[:]) }

// flagsOf returns the flags of a span or link. Above those of W3C Trace Context they say that
// it is known whether the context came from another process, and whether it did.
func flagsOf(flags trace.TraceFlags, remote bool) uint32 {
	const hasIsRemote, isRemote = 0x100, 0x200
	all := uint32(flags) | hasIsRemote
	if remote {
		all |= isRemote
	}
	return all
}

// kindOf returns the number of a kind. The protocol has the same as the API.
func kindOf(kind trace.SpanKind) int {
	if kind < trace.SpanKindUnspecified || kind > trace.SpanKindConsumer {
		return int(trace.SpanKindUnspecified)
	}
	return int(kind)
}

// codeOf returns the number of a status. The protocol has others than the API.
func codeOf(code codes.Code) int {
	const unset, ok, failed = 0, 1, 2
	switch code {
	case codes.Ok:
		return ok
	case codes.Error:
		return failed
	default:
		return unset
	}
}

// nanos returns the nanoseconds since 1970, or the nearest number that the protocol has and
// that every reader takes.
func nanos(t time.Time) uint64 {
	switch seconds := t.Unix(); {
	case seconds < 0:
		return 0
	case seconds >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	default:
		return uint64(t.UnixNano())
	}
}

// number returns n as the protocol has it.
func number(n int) uint32 {
	return uint32(min(max(n, 0), math.MaxUint32))
}
