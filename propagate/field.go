// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// field is one header in its two spellings: the one of the standards and most carriers,
// and the one of net/http. With both ready, a look-up in a map saves the time that
// http.Header.Get spends on making the key.
type field struct{ lower, canonical string }

var (
	traceparentField = field{"traceparent", "Traceparent"}
	tracestateField  = field{"tracestate", "Tracestate"}
	baggageField     = field{"baggage", "Baggage"}
)

// values returns every value of the field that carrier shows. The argument one is the
// space for a single value. A carrier that cannot tell an empty value from none yields an
// empty value.
//
// ok is false if the two spellings of the key have different values. Two writers have been
// at work then, as when a relay copies old headers and somebody adds new ones. There is no
// telling which value is meant, so there is none.
func (f field) values(carrier propagation.TextMapCarrier, one *[1]string) (values []string, ok bool) {
	switch c := carrier.(type) {
	case propagation.HeaderCarrier:
		return f.either(c)
	case propagation.MapCarrier:
		one[0] = c[f.lower]
		return one[:], agree(one[0], c[f.canonical])
	case oneValue:
		one[0], ok = c.find(f)
		return one[:], ok
	case allValues:
		return c.findAll(f)
	case propagation.ValuesGetter:
		other := c.Values(f.canonical) // First, because a carrier may use its space again.
		values = c.Values(f.lower)
		_, ok = oneSpelling(values, other)
		return values, ok
	default:
		// Most carriers do not tell the spellings apart. Those that do hold a map or a list.
		one[0] = carrier.Get(f.lower)
		return one[:], one[0] == "" || agree(one[0], carrier.Get(f.canonical))
	}
}

// either returns the values under the spelling of net/http, or if there are none, those
// under the key in lower case, which gRPC has. In NATS, which tells the two apart, users
// choose either. ok is false if both have values, and these differ.
func (f field) either(m map[string][]string) (values []string, ok bool) {
	return oneSpelling(m[f.canonical], m[f.lower])
}

// oneSpelling returns the values of one of the spellings, the first if it has any. ok is
// false if both have values, and these differ.
func oneSpelling(first, second []string) (values []string, ok bool) {
	switch {
	case len(second) == 0:
		return first, true
	case len(first) == 0:
		return second, true
	default:
		return first, slices.Equal(first, second)
	}
}

// agree reports whether the values of two spellings are one value: whether they are the
// same, or only one of them is there.
func agree(a, b string) bool { return a == b || a == "" || b == "" }

// present reports whether any value of the field is not empty.
func (f field) present(carrier propagation.TextMapCarrier) bool {
	var one [1]string
	values, ok := f.values(carrier, &one)
	return !ok || slices.ContainsFunc(values, func(value string) bool { return value != "" })
}

// put makes value the only one of the field, or takes the field away if value is empty.
// What was there came from somewhere else, and must not be taken for ours: a reverse proxy
// may pass on the headers of its client.
func (f field) put(carrier propagation.TextMapCarrier, value string) {
	switch c := carrier.(type) {
	case propagation.HeaderCarrier:
		delete(c, f.lower) // net/http sends it too, if somebody put it there.
		if value == "" {
			delete(c, f.canonical)
			return
		}
		c[f.canonical] = []string{value}
	case propagation.MapCarrier:
		delete(c, f.canonical) // As above, once the map is copied to a header.
		if value == "" {
			delete(c, f.lower)
			return
		}
		c[f.lower] = value
	case ownCarrier:
		if value == "" {
			c.Delete(f.lower)
			return
		}
		c.Set(f.lower, value)
	default:
		f.remove(carrier)
		if value != "" || f.present(carrier) {
			carrier.Set(f.lower, value)
		}
	}
}

// bytesCarrier is a carrier whose values are bytes. SetBytes does what Set does, and may
// keep the value. So no string has to be made first.
type bytesCarrier interface {
	SetBytes(key string, value []byte)
}

// putBytes is put for such a carrier.
func (f field) putBytes(carrier propagation.TextMapCarrier, c bytesCarrier, value []byte) {
	f.remove(carrier)
	if len(value) > 0 {
		c.SetBytes(f.lower, value)
	}
}

// remove takes the field out of a carrier of an unknown type, as far as the type allows.
func (f field) remove(carrier propagation.TextMapCarrier) {
	switch c := carrier.(type) {
	case interface{ Delete(key string) }:
		c.Delete(f.lower)
	case interface{ Del(key string) }: // As of http.Header and what embeds it.
		c.Del(f.lower)
	}
	m := reflect.ValueOf(carrier)
	if m.Kind() != reflect.Map || m.Type().Key().Kind() != reflect.String {
		return
	}
	for _, key := range m.MapKeys() { // How this type spells its keys is unknown.
		if strings.EqualFold(key.String(), f.lower) {
			m.SetMapIndex(key, reflect.Value{})
		}
	}
}
