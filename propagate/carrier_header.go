// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"net/textproto"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// ownCarrier is a carrier of this package. Its Set leaves only the new value
// under the key, and its Delete leaves none, whatever the spelling was.
type ownCarrier interface {
	propagation.TextMapCarrier
	Delete(key string)
	ours()
}

// oneValue and allValues are the carriers of this package. They say what field.values says.
type (
	oneValue interface {
		find(f field) (value string, ok bool)
	}
	allValues interface {
		findAll(f field) (values []string, ok bool)
	}
)

// fieldOf returns a key in its two spellings. Those of the standards' fields are
// ready. Those of any other may have to be made.
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

// HeaderCarrier returns a carrier for headers that are spelled as net/http spells
// them: [net/http.Header] and [net/textproto.MIMEHeader].
//
//	propagator.Inject(ctx, propagate.HeaderCarrier(request.Header))
//
// If a key has one value in lower case and another as net/http spells it, the
// carrier shows none: see the documentation of the package. Unlike
// [propagation.HeaderCarrier] it does not allocate to read the fields of
// W3C Trace Context and Baggage, and what it writes replaces the key in every
// spelling. For that it looks at every key of the map; the propagators of this
// package take only the two usual spellings out of a propagation.HeaderCarrier.
//
// The carrier writes to header itself, which must not be nil then. It allocates
// nothing, shows repeated values ([propagation.ValuesGetter]), and has a method
// Delete(key string).
func HeaderCarrier(header map[string][]string) propagation.TextMapCarrier {
	return headerCarrier(header)
}

// MetadataCarrier returns a carrier for maps of lists that are spelled in lower
// case: the metadata.MD of gRPC, and the Header of NATS, where keys of different
// case are different keys.
//
//	propagator.Inject(ctx, propagate.MetadataCarrier(message.Header))
//
// It also reads keys that are spelled as net/http spells them, because many NATS
// clients in Go write them so. For receivers that read no other spelling use a
// [HeaderCarrier]. All else is as there.
func MetadataCarrier(metadata map[string][]string) propagation.TextMapCarrier {
	return metadataCarrier(metadata)
}

type (
	headerCarrier   map[string][]string
	metadataCarrier map[string][]string
)

var (
	_ ownCarrier               = headerCarrier{}
	_ ownCarrier               = metadataCarrier{}
	_ propagation.ValuesGetter = headerCarrier{}
	_ propagation.ValuesGetter = metadataCarrier{}
)

// Get returns the first value under key, or an empty string.
func (c headerCarrier) Get(key string) string { return first(c.Values(key)) }

// Values returns all values under key, spelled as net/http spells it. If there
// are none, it returns those under key in lower case. If both have values, and
// these differ, it returns none. The slice is the map's own.
func (c headerCarrier) Values(key string) []string { return known(fieldOf(key).either(c)) }

func (c headerCarrier) findAll(f field) ([]string, bool) { return f.either(c) }

// Set makes value the only one under key, in every spelling, and spells it as
// net/http does. It leaves the former list of values as it is, since another map
// may hold it too.
func (c headerCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.canonical)
	c[f.canonical] = []string{value}
}

// Delete removes key in every spelling.
func (c headerCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c headerCarrier) Keys() []string { return keys(c) }

func (headerCarrier) ours() {}

// Get returns the first value under key, or an empty string.
func (c metadataCarrier) Get(key string) string { return first(c.Values(key)) }

// Values returns what headerCarrier.Values returns.
func (c metadataCarrier) Values(key string) []string { return known(fieldOf(key).either(c)) }

func (c metadataCarrier) findAll(f field) ([]string, bool) { return f.either(c) }

// Set makes value the only one under key, in every spelling, and spells it in
// lower case. It leaves the former list of values as it is, since another map may
// hold it too.
func (c metadataCarrier) Set(key, value string) {
	f := fieldOf(key)
	removeSpellings(c, key, f.lower)
	c[f.lower] = []string{value}
}

// Delete removes key in every spelling.
func (c metadataCarrier) Delete(key string) { removeSpellings(c, key, "") }

// Keys returns the keys as they are spelled, in no particular order.
func (c metadataCarrier) Keys() []string { return keys(c) }

func (metadataCarrier) ours() {}

// known returns the values, or none if there is no telling which ones are meant.
func known(values []string, ok bool) []string {
	if !ok {
		return nil
	}
	return values
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// removeSpellings deletes key from m in every spelling except kept, which the
// caller overwrites next. All spellings of a key have one length: a longer key
// that folds to the same letters, as a Kelvin sign folds to k, is another key.
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
