// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"reflect"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// linksOf returns the links of a span, or none if it has no method for them. The SDK's
// method returns a slice of a type of the SDK, whose fields are read by their names. That is
// slow, but done for roots only.
func linksOf(span Span) []trace.Link {
	if own, ok := span.(interface{ Links() []trace.Link }); ok {
		return own.Links()
	}
	method := reflect.ValueOf(span).MethodByName("Links")
	if !method.IsValid() || !isLinks(method.Type()) {
		return nil
	}
	list := method.Call(nil)[0]
	links := make([]trace.Link, 0, list.Len())
	for i := range list.Len() {
		link := list.Index(i)
		sc, _ := reflect.TypeAssert[trace.SpanContext](link.FieldByName("SpanContext"))
		attrs, _ := reflect.TypeAssert[[]attribute.KeyValue](link.FieldByName("Attributes"))
		links = append(links, trace.Link{SpanContext: sc, Attributes: attrs})
	}
	return links
}

// isLinks reports whether a method is func() []Link, where Link is a struct with the fields
// of a link.
func isLinks(method reflect.Type) bool {
	if method.NumIn() != 0 || method.NumOut() != 1 ||
		method.Out(0).Kind() != reflect.Slice || method.Out(0).Elem().Kind() != reflect.Struct {
		return false
	}
	link := method.Out(0).Elem()
	sc, ok := link.FieldByName("SpanContext")
	attrs, ok2 := link.FieldByName("Attributes")
	return ok && ok2 && sc.Type == reflect.TypeFor[trace.SpanContext]() &&
		attrs.Type == reflect.TypeFor[[]attribute.KeyValue]()
}
