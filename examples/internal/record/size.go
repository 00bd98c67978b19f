// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// What the SDK and this package allocate for each of these, without strings. The first
// two were measured.
const (
	spanBytes      = 480
	traceBytes     = 320 // its place here, and its ID
	attributeBytes = int(unsafe.Sizeof(attribute.KeyValue{}))
	eventBytes     = int(unsafe.Sizeof(sdktrace.Event{}))
	linkBytes      = int(unsafe.Sizeof(sdktrace.Link{}))
)

// sizeOf returns about how many bytes of memory a span takes. Its resource, scope and
// tracestate are shared with others, and so are the keys of its attributes.
func sizeOf(s sdktrace.ReadOnlySpan) int {
	size := spanBytes + len(s.Name()) + len(s.Status().Description) + attributesSize(s.Attributes())
	for _, event := range s.Events() {
		size += eventBytes + len(event.Name) + attributesSize(event.Attributes)
	}
	for _, link := range s.Links() {
		size += linkBytes + attributesSize(link.Attributes)
	}
	return size
}

func attributesSize(attributes []attribute.KeyValue) int {
	size := 0
	for _, a := range attributes {
		size += attributeBytes
		switch a.Value.Type() {
		case attribute.STRING:
			size += len(a.Value.AsString())
		case attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		default:
			size += len(a.Value.String())
		}
	}
	return size
}
