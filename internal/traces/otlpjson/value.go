// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpjson

import (
	"encoding/json"
	"math"

	"go.opentelemetry.io/otel/attribute"
)

// An attribute of the protocol. A value without a field is empty.
type (
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string `json:"stringValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
		Int    *int64  `json:"intValue,string,omitempty"`
		Double *double `json:"doubleValue,omitempty"`
		Array  *array  `json:"arrayValue,omitempty"`
		Map    *list   `json:"kvlistValue,omitempty"`
		Bytes  *[]byte `json:"bytesValue,omitempty"`
	}
	array struct {
		Values []value `json:"values,omitempty"`
	}
	list struct {
		Values []keyValue `json:"values,omitempty"`
	}
)

func keyValues(attributes []attribute.KeyValue) []keyValue {
	if len(attributes) == 0 {
		return nil
	}
	all := make([]keyValue, len(attributes))
	for i, a := range attributes {
		all[i] = keyValue{string(a.Key), valueOf(a.Value)}
	}
	return all
}

func valueOf(v attribute.Value) value {
	switch v.Type() {
	case attribute.EMPTY:
		return value{}
	case attribute.BOOL:
		return boolOf(v.AsBool())
	case attribute.INT64:
		return intOf(v.AsInt64())
	case attribute.FLOAT64:
		return doubleOf(v.AsFloat64())
	case attribute.STRING:
		return stringOf(v.AsString())
	case attribute.BOOLSLICE:
		return arrayOf(v.AsBoolSlice(), boolOf)
	case attribute.INT64SLICE:
		return arrayOf(v.AsInt64Slice(), intOf)
	case attribute.FLOAT64SLICE:
		return arrayOf(v.AsFloat64Slice(), doubleOf)
	case attribute.STRINGSLICE:
		return arrayOf(v.AsStringSlice(), stringOf)
	case attribute.BYTESLICE:
		b := append([]byte{}, v.AsByteSlice()...) // Not nil, which would be null.
		return value{Bytes: &b}
	case attribute.SLICE:
		return arrayOf(v.AsSlice(), valueOf)
	case attribute.MAP:
		return value{Map: &list{keyValues(v.AsMap())}}
	default: // A type of a later version has a text too.
		return stringOf(v.String())
	}
}

func boolOf(b bool) value { return value{Bool: &b} }

func intOf(n int64) value { return value{Int: &n} }

func doubleOf(f float64) value { return value{Double: (*double)(&f)} }

func stringOf(s string) value { return value{String: &s} }

func arrayOf[T any](elements []T, of func(T) value) value {
	a := array{Values: make([]value, len(elements))}
	for i, e := range elements {
		a.Values[i] = of(e)
	}
	return value{Array: &a}
}

// double is a double, in quotes if JSON has no number for it.
type double float64

// MarshalJSON implements json.Marshaler.
func (d double) MarshalJSON() ([]byte, error) {
	switch f := float64(d); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}
