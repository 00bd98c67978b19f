// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import "cmp"

// MapCarrier is a carrier for maps of one value a key, such as the Metadata of
// a Watermill message. A conversion makes one, and costs nothing:
//
//	propagator.Inject(ctx, propagate.MapCarrier(message.Metadata))
//
// It writes keys in lower case, and reads those that are spelled as net/http
// does, too. Over [propagation.MapCarrier] it has Delete, and leaves no second
// spelling behind. Writing to a nil map panics.
type MapCarrier map[string]string

// TableCarrier is a carrier for maps of values of many types, such as the
// Table of AMQP's headers. It reads values that are strings or byte slices, and
// takes all others for absent; it writes strings. Keys are as in [MapCarrier].
// Writing to a nil map panics.
type TableCarrier map[string]any

var (
	_ ownCarrier = MapCarrier{}
	_ ownCarrier = TableCarrier{}
)

// Get returns the value under key, spelled in lower case, or where that is
// empty, as net/http does.
func (c MapCarrier) Get(key string) string {
	f := fieldOf(key)
	return cmp.Or(c[f.lower], c[f.canonical])
}

// Set makes value the only one under key, however what was there is spelled,
// and spells it in lower case.
func (c MapCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = value
}

// Delete removes key in every spelling.
func (c MapCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c MapCarrier) Keys() []string { return keys(c) }

func (MapCarrier) ours() {}

// Get returns the text under key, as [MapCarrier.Get] does. A byte slice is
// copied.
func (c TableCarrier) Get(key string) string {
	f := fieldOf(key)
	return cmp.Or(textOf(c[f.lower]), textOf(c[f.canonical]))
}

// Set makes value the only one under key, however what was there is spelled,
// and spells it in lower case.
func (c TableCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = value
}

// Delete removes key in every spelling.
func (c TableCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c TableCarrier) Keys() []string { return keys(c) }

func (TableCarrier) ours() {}

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
