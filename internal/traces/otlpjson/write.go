// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlpjson writes spans in the JSON form of the OpenTelemetry Protocol, which
// collectors and other tools read:
//
//	err := otlpjson.Write(w, trace.Spans)
package otlpjson

import (
	"bufio"
	"encoding/json"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Write writes spans to w as one document, an ExportTraceServiceRequest, with a line feed at
// its end. So a file may have several after each other, as those of the Collector's file
// exporter do. Spans of one resource and scope are together, otherwise they keep their order.
// A span that is nil is skipped. Bytes of strings that are not valid UTF-8 become U+FFFD.
//
// Write holds the text of one span in memory at a time. It blocks while w does. Its error is
// that of w.
func Write(w io.Writer, spans []sdktrace.ReadOnlySpan) error {
	out := writer{to: bufio.NewWriter(w)}
	out.text(`{"resourceSpans":[`)
	for i, r := range group(spans) {
		out.comma(i)
		out.text(`{"resource":`)
		out.value(resourceOf(r.of))
		out.text(`,"scopeSpans":[`)
		for i, s := range r.scopes {
			out.comma(i)
			out.text(`{"scope":`)
			out.value(scopeOf(&s.of))
			out.text(`,"spans":[`)
			for i, span := range s.spans {
				out.comma(i)
				out.value(spanOf(span))
			}
			out.text("]")
			out.schema(s.of.SchemaURL)
			out.text("}")
		}
		out.text("]")
		out.schema(r.of.SchemaURL())
		out.text("}")
	}
	out.text("]}\n")
	if out.err != nil {
		return out.err
	}
	return out.to.Flush()
}

// writer writes until there is an error.
type writer struct {
	to  *bufio.Writer
	err error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = w.to.WriteString(s)
	}
}

func (w *writer) comma(before int) {
	if before > 0 {
		w.text(",")
	}
}

func (w *writer) value(v any) {
	if w.err != nil {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		w.err = err
		return
	}
	_, w.err = w.to.Write(text)
}

func (w *writer) schema(url string) {
	if url != "" {
		w.text(`,"schemaUrl":`)
		w.value(url)
	}
}

// The spans of a resource, and of a scope.
type (
	resourceSpans struct {
		of     *resource.Resource
		scopes []*scopeSpans
		known  map[instrumentation.Scope]*scopeSpans
	}
	scopeSpans struct {
		of    instrumentation.Scope
		spans []sdktrace.ReadOnlySpan
	}
	// resourceKey is the same for resources that are equal.
	resourceKey struct {
		attributes attribute.Distinct
		schema     string
	}
)

// group puts the spans of each resource and scope together.
func group(spans []sdktrace.ReadOnlySpan) []*resourceSpans {
	var resources []*resourceSpans
	known := make(map[resourceKey]*resourceSpans)
	for _, span := range spans {
		if span == nil {
			continue
		}
		res, scope := span.Resource(), span.InstrumentationScope()
		key := resourceKey{res.Equivalent(), res.SchemaURL()}
		r := known[key]
		if r == nil {
			r = &resourceSpans{of: res, known: make(map[instrumentation.Scope]*scopeSpans)}
			known[key] = r
			resources = append(resources, r)
		}
		s := r.known[scope]
		if s == nil {
			s = &scopeSpans{of: scope}
			r.known[scope] = s
			r.scopes = append(r.scopes, s)
		}
		s.spans = append(s.spans, span)
	}
	return resources
}
