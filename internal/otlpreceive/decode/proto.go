// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxProtoDepth is how many messages may be within each other. Spans with plain attributes
// have six: the request, resource spans, scope spans, span, attribute, value. An array adds
// two, and a map three.
const maxProtoDepth = 64

// message describes one type of message of OTLP's traces.
type message struct {
	memory int // bytes that a decoded message takes beside its text, and once converted
	fields map[protowire.Number]*message
}

// request describes ExportTraceServiceRequest by the numbers that its fields have in
// opentelemetry-proto. Fields that hold no messages are left out.
var request = func() *message {
	keyValue, value := &message{memory: 160}, &message{memory: 80}
	keyValue.fields = map[protowire.Number]*message{2: value}
	value.fields = map[protowire.Number]*message{
		5: {memory: 32, fields: map[protowire.Number]*message{1: value}},    // array
		6: {memory: 32, fields: map[protowire.Number]*message{1: keyValue}}, // map
	}
	attributes := func(number protowire.Number, memory int) *message {
		return &message{memory: memory, fields: map[protowire.Number]*message{number: keyValue}}
	}
	key := &message{memory: 64}
	entity := &message{memory: 160, fields: map[protowire.Number]*message{3: key, 4: key}}
	resource := &message{memory: 256, fields: map[protowire.Number]*message{1: keyValue, 3: entity}}
	span := &message{memory: 800, fields: map[protowire.Number]*message{
		9: keyValue, 11: attributes(3, 240), 13: attributes(4, 320),
	}}
	scopeSpans := &message{memory: 256, fields: map[protowire.Number]*message{1: attributes(3, 128), 2: span}}
	resourceSpans := &message{memory: 256, fields: map[protowire.Number]*message{
		1: resource, 2: scopeSpans,
		1000: scopeSpans, // what scope spans were called before OTLP 1.0
	}}
	return &message{fields: map[protowire.Number]*message{1: resourceSpans}}
}()

// measureProto returns an error if body takes too much memory when it is decoded, or has
// messages too deeply in each other.
func measureProto(body []byte) error {
	left := budget(MaxMemory)
	if err := left.spend(len(body)); err != nil {
		return err
	}
	return request.measure(body, &left, maxProtoDepth)
}

func (m *message) measure(body []byte, left *budget, depth int) error {
	if depth == 0 {
		return ErrTooDeep
	}
	if err := left.spend(m.memory); err != nil {
		return err
	}
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		body = body[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
			}
			body = body[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		body = body[n:]
		if field := m.fields[number]; field != nil {
			if err := field.measure(value, left, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}
