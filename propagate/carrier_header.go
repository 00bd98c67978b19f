// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"net/textproto"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// ownCarrier is a carrier of this package. Its Set leaves the value alone under
// the key, and its Delete leaves nothing, however what was there is spelled.
type ownCarrier interface {
	propagation.TextMapCarrier
	Delete(key string)
	ours()
}

// fieldOf returns a key in its two spellings. For the fields of the standards
// they are ready, and for any other they may have to be made.
func fieldOf(key string) field {
	switch key {
	case "traceparent", "Traceparent":
		return traceparentField
	case "tracestate", "Tracestate":
		return tracestateField
	case "baggage", "Baggage":
		return baggageField
	}
	return field{strings.ToLower(key), textproto.CanonicalMIMEHeaderKey(key)}
}

// HeaderCarrier is a carrier for headers that are spelled as net/http does:
// [net/http.Header] and [net/textproto.MIMEHeader]. A conversion makes one, and
// costs nothing:
//
//	propagator.Inject(ctx, propagate.HeaderCarrier(request.Header))
//
// Over [propagation.HeaderCarrier] it has Delete, Get does not allocate for the
// fields of W3C Trace Context and Baggage, and no spelling of a key is left
// behind: for that Set and Delete look at every key there is, where the
// propagators of this package take but the two usual ones out of a
// propagation.HeaderCarrier. Writing to a nil map panics.
type HeaderCarrier map[string][]string

// MetadataCarrier is a carrier for maps of lists that are spelled in lower case:
// the metadata.MD of gRPC, and the Header of NATS, which tells keys apart by
// their case. A conversion makes one, and costs nothing:
//
//	propagator.Inject(ctx, propagate.MetadataCarrier(message.Header))
//
// It reads keys that are spelled as net/http does, too, since many NATS clients
// in Go write them so. Those that read no other spelling need a [HeaderCarrier].
// Writing to a nil map panics.
type MetadataCarrier map[string][]string

var (
	_ ownCarrier               = HeaderCarrier{}
	_ ownCarrier               = MetadataCarrier{}
	_ propagation.ValuesGetter = HeaderCarrier{}
	_ propagation.ValuesGetter = MetadataCarrier{}
)

// Get returns the first value under key, or an empty string.
func (c HeaderCarrier) Get(key string) string { return first(c.Values(key)) }

// Values returns all values under key, spelled as net/http does, or where that
// has none, in lower case. The slice is the map's own.
func (c HeaderCarrier) Values(key string) []string {
	return fieldOf(key).either(c)
}

// Set makes value the only one under key, however what was there is spelled,
// and spells it as net/http does. It leaves the former list of values as it is,
// since another map may hold it too.
func (c HeaderCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.canonical)
	c[f.canonical] = []string{value}
}

// Delete removes key in every spelling.
func (c HeaderCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c HeaderCarrier) Keys() []string { return keys(c) }

func (HeaderCarrier) ours() {}

// Get returns the first value under key, or an empty string.
func (c MetadataCarrier) Get(key string) string { return first(c.Values(key)) }

// Values returns all values under key, spelled as net/http does, or where that
// has none, in lower case. The slice is the map's own.
func (c MetadataCarrier) Values(key string) []string {
	return fieldOf(key).either(c)
}

// Set makes value the only one under key, however what was there is spelled,
// and spells it in lower case. It leaves the former list of values as it is,
// since another map may hold it too.
func (c MetadataCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = []string{value}
}

// Delete removes key in every spelling.
func (c MetadataCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c MetadataCarrier) Keys() []string { return keys(c) }

func (MetadataCarrier) ours() {}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// removeSpellings deletes key from m, however it is spelled, except as kept: what
// is overwritten next need not go before. All spellings of a key have one length;
// what is longer and folds to the same letters, as a Kelvin sign folds to k, is
// another key.
func removeSpellings[V any](m map[string]V, key, kept string) {
	for k := range m {
		if len(k) == len(key) && k != kept && strings.EqualFold(k, key) {
			delete(m, k)
		}
	}
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for key := range m {
		names = append(names, key)
	}
	return names
}
