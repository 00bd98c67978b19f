// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"cmp"

	"go.opentelemetry.io/otel/propagation"
)

// MapCarrier returns a carrier for maps of one value a key, such as the Metadata
// of a Watermill message.
//
//	propagator.Inject(ctx, propagate.MapCarrier(message.Metadata))
//
// It writes keys in lower case. It reads keys in lower case, and those that are
// spelled as net/http spells them. If both are there and their values differ, it
// shows none. Unlike [propagation.MapCarrier] it leaves no second spelling of a key
// that it writes.
//
// The carrier writes to values itself, which must not be nil then. It allocates
// nothing, and has a method Delete(key string).
func MapCarrier(values map[string]string) propagation.TextMapCarrier {
	return mapCarrier(values)
}

// TableCarrier returns a carrier for maps of values of many types, such as the
// Table of AMQP's headers. It reads values that are strings or byte slices, and
// takes all others for absent. It writes strings. All else is as with
// [MapCarrier].
func TableCarrier(table map[string]any) propagation.TextMapCarrier {
	return tableCarrier(table)
}

type (
	mapCarrier   map[string]string
	tableCarrier map[string]any
)

var (
	_ ownCarrier = mapCarrier{}
	_ ownCarrier = tableCarrier{}
)

// Get returns the value under key in lower case. If that is empty, it returns the
// value under key as net/http spells it. If both are there and differ, it returns
// an empty string.
func (c mapCarrier) Get(key string) string {
	value, _ := c.find(fieldOf(key))
	return value
}

func (c mapCarrier) find(f field) (value string, ok bool) { return choose(c[f.lower], c[f.canonical]) }

// choose returns the value that is there. ok is false if there are two.
func choose(lower, canonical string) (value string, ok bool) {
	if !agree(lower, canonical) {
		return "", false
	}
	return cmp.Or(lower, canonical), true
}

// Set makes value the only one under key, in every spelling, and spells it in
// lower case.
func (c mapCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = value
}

// Delete removes key in every spelling.
func (c mapCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c mapCarrier) Keys() []string { return keys(c) }

func (mapCarrier) ours() {}

// Get returns the text under key, as mapCarrier.Get does. It copies a byte slice.
func (c tableCarrier) Get(key string) string {
	value, _ := c.find(fieldOf(key))
	return value
}

func (c tableCarrier) find(f field) (value string, ok bool) {
	return choose(textOf(c[f.lower]), textOf(c[f.canonical]))
}

// Set makes value the only one under key, in every spelling, and spells it in
// lower case.
func (c tableCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = value
}

// Delete removes key in every spelling.
func (c tableCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c tableCarrier) Keys() []string { return keys(c) }

func (tableCarrier) ours() {}

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	default:
		return ""
	}
}
