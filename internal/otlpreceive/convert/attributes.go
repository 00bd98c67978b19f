// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
)

// attributes returns the attributes, and how many are left out. An attribute without a key is
// one of these.
func (c *converter) attributes(from pcommon.Map) (attributes []attribute.KeyValue, dropped int) {
	attributes = make([]attribute.KeyValue, 0, min(from.Len(), MaxAttributes))
	for key, value := range from.All() {
		if key == "" || len(attributes) == MaxAttributes {
			dropped++
			continue
		}
		attributes = append(attributes, attribute.KeyValue{
			Key: attribute.Key(c.text(key, MaxName)), Value: c.value(value, 0),
		})
	}
	return attributes, dropped
}

// value returns a value that is within depth arrays and maps.
func (c *converter) value(from pcommon.Value, depth int) attribute.Value {
	switch from.Type() {
	case pcommon.ValueTypeStr:
		return attribute.StringValue(c.text(from.Str(), MaxText))
	case pcommon.ValueTypeBool:
		return attribute.BoolValue(from.Bool())
	case pcommon.ValueTypeInt:
		return attribute.Int64Value(from.Int())
	case pcommon.ValueTypeDouble:
		return attribute.Float64Value(from.Double())
	case pcommon.ValueTypeBytes:
		return c.bytes(from.Bytes())
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
		if depth == MaxNesting {
			c.mended = true
			return attribute.StringValue(c.text(from.AsString(), MaxText))
		}
		if from.Type() == pcommon.ValueTypeMap {
			return c.kvlist(from.Map(), depth+1)
		}
		return c.array(from.Slice(), depth+1)
	case pcommon.ValueTypeEmpty:
	}
	return attribute.Value{}
}

func (c *converter) bytes(from pcommon.ByteSlice) attribute.Value {
	raw := from.AsRaw()
	if len(raw) > MaxText {
		c.mended = true
		raw = raw[:MaxText]
	}
	return attribute.ByteSliceValue(raw) // makes a copy
}

func (c *converter) kvlist(from pcommon.Map, depth int) attribute.Value {
	var members []attribute.KeyValue
	for key, value := range from.All() {
		if len(members) == MaxElements {
			c.mended = true
			break
		}
		members = append(members, attribute.KeyValue{
			Key: attribute.Key(c.text(key, MaxName)), Value: c.value(value, depth),
		})
	}
	return attribute.MapValue(members...)
}

// array returns an array. If all elements have one plain type, it is of that type.
func (c *converter) array(from pcommon.Slice, depth int) attribute.Value {
	var elements []attribute.Value
	for _, element := range from.All() {
		if len(elements) == MaxElements {
			c.mended = true
			break
		}
		elements = append(elements, c.value(element, depth))
	}
	if len(elements) == 0 {
		return attribute.StringSliceValue(nil)
	}
	first := elements[0].Type()
	if slices.ContainsFunc(elements, func(v attribute.Value) bool { return v.Type() != first }) {
		return attribute.SliceValue(elements...)
	}
	switch first {
	case attribute.STRING:
		return attribute.StringSliceValue(each(elements, attribute.Value.AsString))
	case attribute.BOOL:
		return attribute.BoolSliceValue(each(elements, attribute.Value.AsBool))
	case attribute.INT64:
		return attribute.Int64SliceValue(each(elements, attribute.Value.AsInt64))
	case attribute.FLOAT64:
		return attribute.Float64SliceValue(each(elements, attribute.Value.AsFloat64))
	default:
		return attribute.SliceValue(elements...)
	}
}

func each[T any](values []attribute.Value, as func(attribute.Value) T) []T {
	all := make([]T, len(values))
	for i, v := range values {
		all[i] = as(v)
	}
	return all
}
