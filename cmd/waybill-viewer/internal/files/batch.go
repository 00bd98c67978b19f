// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"encoding/json"
)

// batch has the text of spans of one resource. A text that has not come is nil.
type batch struct {
	resource, schemaURL json.RawMessage
	done                []scope // scopes that were read to their end
	current             scope
	spans               int
	bytes               int // of the spans and the scopes
}

// scope has the text of spans of one scope.
type scope struct {
	scope, schemaURL json.RawMessage
	spans            []json.RawMessage
}

// add adds a span to the current scope.
func (b *batch) add(span json.RawMessage) {
	b.current.spans = append(b.current.spans, span)
	b.spans++
	b.bytes += len(span)
}

// next ends the current scope.
func (b *batch) next() {
	if len(b.current.spans) > 0 {
		b.done = append(b.done, b.current)
		b.bytes += len(b.current.scope)
	}
	b.current = scope{}
}

// flushed leaves what following spans need.
func (b *batch) flushed() {
	b.done, b.current.spans, b.spans, b.bytes = nil, nil, 0, 0
}

// document returns an ExportTraceServiceRequest of the batch.
func (b *batch) document() []byte {
	out := bytes.NewBuffer(make([]byte, 0, b.bytes+len(b.resource)+1<<10))
	out.WriteString(`{"resourceSpans":[{`)
	member(out, "resource", b.resource)
	member(out, "schemaUrl", b.schemaURL)
	out.WriteString(`"scopeSpans":[`)
	for i := range b.done {
		b.done[i].write(out)
		out.WriteByte(',')
	}
	b.current.write(out)
	out.WriteString(`]}]}`)
	return out.Bytes()
}

func (s *scope) write(out *bytes.Buffer) {
	out.WriteByte('{')
	member(out, "scope", s.scope)
	member(out, "schemaUrl", s.schemaURL)
	out.WriteString(`"spans":[`)
	for i, span := range s.spans {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(span)
	}
	out.WriteString(`]}`)
}

// member writes a member of an object and a comma, if it is there.
func member(out *bytes.Buffer, name string, value json.RawMessage) {
	if value != nil {
		out.WriteString(`"` + name + `":`)
		out.Write(value)
		out.WriteByte(',')
	}
}
