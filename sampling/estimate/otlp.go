// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// ErrOTLP is wrapped by the errors of [Spans.AddOTLP] for what is no OTLP in JSON.
var ErrOTLP = errors.New("estimate: malformed OTLP JSON")

// AddOTLP adds the spans of r, which holds trace data of the OpenTelemetry Protocol
// in JSON: one document or several after each other, as the Collector's file exporter
// writes them, a line each. It reads until the end; a document is in memory while its
// spans are taken in. The error is r's own, or it wraps [ErrOTLP]; the documents before
// the one at fault have been added then.
//
// Attributes keep their types if they are strings, booleans, integers or doubles.
// Others are the text of their JSON, a string.
func (s *Spans) AddOTLP(r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var document otlpDocument
		switch err := decoder.Decode(&document); {
		case err == io.EOF:
			return nil
		case err != nil:
			return malformed(err)
		}
		for _, resource := range document.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for i := range scope.Spans {
					s.Add(scope.Spans[i].span())
				}
			}
		}
	}
}

// malformed tells the errors of the reader apart from those of what was read.
func malformed(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%w: %w", ErrOTLP, err)
	}
	return err
}

// The parts of OTLP that are read, as its specification maps them to JSON: IDs are in
// hexadecimal, and integers of 64 bits may be in quotes.
type (
	otlpDocument struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []otlpSpan `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	otlpSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		ParentID   string          `json:"parentSpanId"`
		TraceState string          `json:"traceState"`
		Name       string          `json:"name"`
		Start      otlpInteger     `json:"startTimeUnixNano"`
		End        otlpInteger     `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes"`
		Links      []struct {
			TraceID    string          `json:"traceId"`
			SpanID     string          `json:"spanId"`
			TraceState string          `json:"traceState"`
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"links"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
)

// span returns what s says. It has an invalid span context if its IDs are.
func (s *otlpSpan) span() Span {
	result := &readSpan{
		name:   s.Name,
		start:  s.Start.time(),
		end:    s.End.time(),
		attrs:  attributesOf(s.Attributes),
		self:   spanContextOf(s.TraceID, s.SpanID, s.TraceState),
		parent: spanContextOf(s.TraceID, s.ParentID, ""),
	}
	for _, l := range s.Links {
		result.links = append(result.links, trace.Link{
			SpanContext: spanContextOf(l.TraceID, l.SpanID, l.TraceState), Attributes: attributesOf(l.Attributes),
		})
	}
	return result
}

// spanContextOf returns a span context, invalid if one of the IDs is. The protocol takes
// hexadecimal digits of either case.
func spanContextOf(traceID, spanID, state string) trace.SpanContext {
	var c trace.SpanContextConfig
	c.TraceID, _ = trace.TraceIDFromHex(strings.ToLower(traceID))
	c.SpanID, _ = trace.SpanIDFromHex(strings.ToLower(spanID))
	c.TraceState, _ = trace.ParseTraceState(state)
	return trace.NewSpanContext(c)
}

func attributesOf(list []otlpAttribute) []attribute.KeyValue {
	if len(list) == 0 {
		return nil
	}
	attrs := make([]attribute.KeyValue, len(list))
	for i, a := range list {
		attrs[i] = attribute.KeyValue{Key: attribute.Key(a.Key), Value: attribute.Value(a.Value)}
	}
	return attrs
}

// otlpValue is an attribute's value.
type otlpValue attribute.Value

// UnmarshalJSON implements json.Unmarshaler.
func (v *otlpValue) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	var value struct {
		String *string      `json:"stringValue"`
		Bool   *bool        `json:"boolValue"`
		Int    *otlpInteger `json:"intValue"`
		Double *otlpDouble  `json:"doubleValue"`
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	switch {
	case value.String != nil:
		*v = otlpValue(attribute.StringValue(*value.String))
	case value.Bool != nil:
		*v = otlpValue(attribute.BoolValue(*value.Bool))
	case value.Int != nil:
		*v = otlpValue(attribute.Int64Value(int64(*value.Int)))
	case value.Double != nil:
		*v = otlpValue(attribute.Float64Value(float64(*value.Double)))
	default:
		*v = otlpValue(attribute.StringValue(string(text)))
	}
	return nil
}

// otlpInteger is an integer of 64 bits, in quotes or not.
type otlpInteger int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *otlpInteger) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	i, err := strconv.ParseInt(unquoted(text), 10, 64)
	*n = otlpInteger(i)
	return err
}

func (n otlpInteger) time() time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n))
}

// otlpDouble is a double, in quotes if it is none of JSON's numbers.
type otlpDouble float64

// UnmarshalJSON implements json.Unmarshaler.
func (d *otlpDouble) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	f, err := strconv.ParseFloat(unquoted(text), 64)
	if math.IsInf(f, 0) && errors.Is(err, strconv.ErrRange) {
		err = nil // It is as good as infinite.
	}
	*d = otlpDouble(f)
	return err
}

// isNull is for what leaves a value as it is.
func isNull(text []byte) bool { return string(text) == "null" }

func unquoted(text []byte) string {
	s := string(text)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// readSpan is a span that was read.
type readSpan struct {
	name         string
	self, parent trace.SpanContext
	start, end   time.Time
	attrs        []attribute.KeyValue
	links        []trace.Link
}

var _ Span = (*readSpan)(nil)

func (s *readSpan) Name() string                     { return s.name }
func (s *readSpan) SpanContext() trace.SpanContext   { return s.self }
func (s *readSpan) Parent() trace.SpanContext        { return s.parent }
func (s *readSpan) StartTime() time.Time             { return s.start }
func (s *readSpan) EndTime() time.Time               { return s.end }
func (s *readSpan) Attributes() []attribute.KeyValue { return s.attrs }
func (s *readSpan) Links() []trace.Link              { return s.links }
