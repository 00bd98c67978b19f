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

// ErrOTLP means that [Spans.AddOTLP] read something that is no OTLP in JSON. Test with
// [errors.Is].
var ErrOTLP = errors.New("estimate: malformed OTLP JSON")

// longest is how many bytes a span may have, and what is between two spans. The Collector
// accepts as many in a request.
const longest = 4 << 20

var errLongest = fmt.Errorf("more than %d bytes in a span or between two", longest)

// AddOTLP adds the spans of r, which holds trace data of the OpenTelemetry Protocol in JSON:
// one document, or several after each other. The Collector's file exporter writes one on each
// line. AddOTLP reads until the end, and blocks while r does. Beside the spans that it has
// added it has one in memory. So r may have any length; bound that if you do not trust r.
//
// The error is r's own, or it wraps [ErrOTLP], for instance for a span of more than 4 MiB.
// Then the spans before the error have been added.
//
// Attributes that are strings, booleans, integers or doubles keep their types. Any other
// becomes a string, the text of its JSON.
func (s *Spans) AddOTLP(r io.Reader) error {
	bounded := &boundedReader{from: r, left: longest}
	o := otlpReader{decoder: json.NewDecoder(bounded), bounded: bounded, add: s.Add}
	for {
		switch err := o.object(o.document); {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		case bounded.err != nil && !errors.Is(bounded.err, errLongest):
			return bounded.err
		default:
			return fmt.Errorf("%w: at byte %d: %w", ErrOTLP, o.decoder.InputOffset(), err)
		}
	}
}

// boundedReader reads at most left bytes.
type boundedReader struct {
	from io.Reader
	left int
	err  error // what reading has ended with, if not the end of file
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errLongest
		return 0, b.err
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// otlpReader walks through documents down to their spans.
type otlpReader struct {
	decoder *json.Decoder
	bounded *boundedReader
	add     func(Span)
}

func (o *otlpReader) document(key string) error {
	if key != "resourceSpans" {
		return o.skip()
	}
	return o.array(func() error { return o.object(o.resource) })
}

func (o *otlpReader) resource(key string) error {
	if key != "scopeSpans" {
		return o.skip()
	}
	return o.array(func() error { return o.object(o.scope) })
}

func (o *otlpReader) scope(key string) error {
	if key != "spans" {
		return o.skip()
	}
	return o.array(func() error {
		var span otlpSpan
		err := o.decode(&span)
		if err == nil {
			o.add(span.span())
		}
		return err
	})
}

// object reads an object, and calls field to read the value of each key. For null it does
// nothing. The error is io.EOF if there is nothing to read at all.
func (o *otlpReader) object(field func(key string) error) error {
	opening, err := o.token()
	if err != nil || opening == nil {
		return err
	}
	if opening != json.Delim('{') {
		return fmt.Errorf("%v where an object should be", opening)
	}
	for o.decoder.More() {
		key, err := o.token()
		if err != nil {
			return unexpected(err)
		}
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("%v where a key should be", key)
		}
		if err := field(name); err != nil {
			return unexpected(err)
		}
	}
	_, err = o.token()
	return unexpected(err)
}

// array reads an array, and calls element to read each element. For null it does nothing.
func (o *otlpReader) array(element func() error) error {
	opening, err := o.token()
	if err != nil || opening == nil {
		return err
	}
	if opening != json.Delim('[') {
		return fmt.Errorf("%v where an array should be", opening)
	}
	for o.decoder.More() {
		if err := element(); err != nil {
			return unexpected(err)
		}
	}
	_, err = o.token()
	return err
}

// token reads a delimiter, a key or a simple value, and renews the bound.
func (o *otlpReader) token() (json.Token, error) {
	token, err := o.decoder.Token()
	o.bounded.left = longest
	return token, err
}

// decode reads a value, and renews the bound.
func (o *otlpReader) decode(value any) error {
	err := o.decoder.Decode(value)
	o.bounded.left = longest
	return err
}

func (o *otlpReader) skip() error { return o.decode(&skipped{}) }

// skipped is a value that is not needed.
type skipped struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

// unexpected turns the end of the file into an error, because it is within a value.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // The decoder returns it as it is.
		return io.ErrUnexpectedEOF
	}
	return err
}

// The parts of OTLP that are read, as its specification maps them to JSON. IDs are in
// hexadecimal, and integers of 64 bits may be in quotes.
type (
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

// span returns s as a Span. Its span context is invalid if its IDs are.
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
		if sc := spanContextOf(l.TraceID, l.SpanID, l.TraceState); sc.IsValid() {
			result.links = append(result.links, trace.Link{SpanContext: sc, Attributes: attributesOf(l.Attributes)})
		}
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
	named := 0
	for _, a := range list {
		if a.Key != "" {
			named++
		}
	}
	if named == 0 {
		return nil
	}
	attrs := make([]attribute.KeyValue, 0, named)
	for _, a := range list {
		if a.Key != "" {
			attrs = append(attrs, attribute.KeyValue{Key: attribute.Key(a.Key), Value: attribute.Value(a.Value)})
		}
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

// isNull reports whether text is null, which leaves a value as it is.
func isNull(text []byte) bool { return string(text) == "null" }

func unquoted(text []byte) string {
	s := string(text)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// readSpan is a span that AddOTLP has read.
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
